"""Where the classes of images come from: folders, tables and files beside the images."""
