"""Programs that show the service at work: the demo and the workflows that open tickets."""
