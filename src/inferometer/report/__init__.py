"""Pages and pictures of results: the HTML report, its figures, static images, the live server."""
