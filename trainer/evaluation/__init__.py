"""Models side by side on the golden tickets: they answer, it is measured, it is compared."""
