"""Link types that are named and not looked into (names as Wireshark shows them)."""

from __future__ import annotations

from .base import leaves

PROTOCOLS = leaves(
    "link_type",
    {
        3: "ax25", 32: "redback", 99: "symantec", 114: "llap", 123: "atm", 130: "juniper", 131: "juniper", 133: "juniper",
        135: "juniper", 136: "juniper", 137: "juniper", 138: "ap1394", 139: "mtp2", 140: "mtp2", 141: "mtp3", 142: "sccp", 143: "docsis",
        144: "irlap", 165: "mstp", 167: "juniper", 169: "llcgprs", 170: "gfp", 171: "gfp", 177: "lapd", 178: "juniper", 179: "juniper",
        180: "juniper", 181: "juniper", 183: "juniper", 184: "juniper", 186: "usb", 187: "bluetooth", 189: "usb", 195: "wpan",
        199: "i2c", 200: "juniper", 201: "bluetooth", 202: "ax25_kiss", 203: "lapd", 209: "i2c", 210: "flexray", 212: "lin",
        215: "wpan-nonask-phy", 220: "usb", 227: "can", 230: "wpan", 231: "dbus", 235: "dvb-ci", 236: "mux27010",
        237: "s5066dts", 240: "netanalyzer", 241: "netanalyzer", 243: "mp2t", 249: "usb", 250: "rtacser",
        251: "bluetooth", 252: "exported_pdu", 254: "bluetooth", 255: "bluetooth", 256: "bluetooth", 259: "epon",
        260: "ipmi.trace", 264: "iso14443", 266: "usb", 268: "sdlc", 270: "loratap", 271: "vsock", 272: "nordic_ble", 273: "xra",
        274: "fpp", 275: "dpauxmon", 279: "ebhscr", 280: "vpp", 283: "wpan-tap", 288: "usbll", 290: "etw", 292: "zbncp", 293: "usbll",
        294: "usbll", 295: "usbll",
    },
)  # fmt: skip
