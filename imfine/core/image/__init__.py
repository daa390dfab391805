"""Pictures: a prompt becomes pictures, in several lanes that ride in one batch of the UNet."""
