"""Keys and mouse buttons of every system, and what stands in for them where there are none."""
