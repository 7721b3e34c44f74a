"""Fixtures for all tests."""

from commands import invoke
from object_storage import azurite, moto, place, remote_place

__all__ = ["azurite", "invoke", "moto", "place", "remote_place"]
