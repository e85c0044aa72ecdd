"""The PDFs: network, preprocessing, sum rules, flavour bases and their convolution with FK tables."""
