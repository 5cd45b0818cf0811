"""What does my network learn first, and how does the learning rate decide that?"""
