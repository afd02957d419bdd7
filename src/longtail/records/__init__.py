"""When and where photographs were taken, and records of species in standard formats."""
