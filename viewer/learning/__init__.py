"""The page docs/learning.md: what each part of the learners brings, the losses compared, and the worst dreams."""
