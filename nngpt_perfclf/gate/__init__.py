"""The gate: one candidate at a time, is it worth training?"""
