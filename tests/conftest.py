"""Fixtures for all tests."""

from object_storage import azurite, moto, place, remote_place

__all__ = ["azurite", "moto", "place", "remote_place"]
