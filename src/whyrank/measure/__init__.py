"""Arrays to numbers: ranking metrics, significance, geometry and separation of vectors. numpy and scipy only."""
