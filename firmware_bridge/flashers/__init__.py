"""Firmware to microcontrollers.

| file | what |
|---|---|
| `mcuboot.py` | what stands on an MCUboot image, pure |
| `smp.py` | boards with an SMP server: upload, test, reset, look, confirm |
| `esptool.py` | Espressif's chips, by the `esptool` program |
"""
