"""What the pages of all experiments share: figures, tables, the HTML page, the terminal."""
