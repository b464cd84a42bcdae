"""One module per command: demo, timelapse, run_pipeline, install_schedule.

Loaded by Django by name; imported by no other package.
"""
