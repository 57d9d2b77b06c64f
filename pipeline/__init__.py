"""The reference prediction pipeline: replays real daily bars, reaches the gateway by NATS alone.

`bars` reads the data, `features` and `model` predict, `evaluation` measures, `schedule` and `replay` publish.
`explainer.ReferenceExplainer` explains what the model predicted: `known_past` cuts the data at the day in
question, `explaining` words the model's own predictions (with `similar_days`, `what_if`, `past_record`,
`citations` and `wording`), and `given_explanation` words those of any other model.
"""
