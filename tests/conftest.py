"""Every test process does its arithmetic as Chorus's own processes do; set before anything imports NumPy."""

from common import arithmetic

arithmetic.pin()
