"""The command ``retrain``: was a pattern not learned, or learned but unused?"""
