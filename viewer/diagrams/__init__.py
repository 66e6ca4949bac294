"""The figures of the README: the network, the policy's training and the pipeline, with the shapes that the code has."""
