"""What becomes of a recognised text before it is typed: hotwords, rules, the final mark."""
