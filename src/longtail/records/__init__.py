"""Times and places of photographs, and records of species in standard formats."""
