"""The reader's page and the JSON interface: FastAPI is the app, Gradio its face."""
