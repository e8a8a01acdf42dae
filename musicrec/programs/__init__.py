"""The programs behind the commands: training, evaluation, robustness and recommendation, and what they share."""
