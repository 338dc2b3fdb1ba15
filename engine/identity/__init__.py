"""Identity: the profile that an input is for, its statements about the person, and the places that point to them."""
