"""One module per command: demo, timelapse, run_pipeline, install_schedule."""
