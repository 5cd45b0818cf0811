"""The paper's published code, measured, beside what is here."""
