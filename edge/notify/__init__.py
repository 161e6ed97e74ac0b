"""Visit events -> phones and other programs, without a broker."""
