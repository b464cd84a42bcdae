"""What the API is measured beside; these modules run in an environment of their own and import nothing of ours."""
