"""The reader's page and the JSON interface: FastAPI is the app, Gradio its face; both call nobody."""

import os

# Gradio reads these when it is first imported.
os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
