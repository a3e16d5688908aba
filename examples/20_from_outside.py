"""A model from outside: what goes in, what comes out, at which steps, of which shape.

The same cell makes many patterns; what tells them apart is where something goes in and comes out.
"""

from tinygrad_rnn import draw, nn

head = nn.Linear(5, 3, name="hy", seed=1)
models = {
    "many to one": nn.LSTM(4, 5, seed=0),
    "many to many": [nn.LSTM(4, 5, return_sequences=True, return_state=True, seed=0), head],
    "one to many": nn.OutputFeedback(nn.LSTM(3, 5, seed=0), head),
    "both ways": nn.Bidirectional(nn.LSTM(4, 5, return_sequences=True, seed=0)),
    "encoder, decoder": nn.EncoderDecoder(nn.LSTM(4, 5, seed=0), nn.LSTM(3, 5, seed=0), head=head,
                                          seed=2),
}
print(f"{'':18}{'takes':>9}{'gives':>9}")
for name, model in models.items():
    drawing = draw.api(model, 3).drawing
    count = {role: sum(box.role == role and bool(box.text) for box in drawing.boxes)
             for role in ("input", "output")}
    print(f"{name:18}{count['input']:9}{count['output']:9}")
print()
print(draw.api(models["many to many"], 3))

draw.api(models["encoder, decoder"], (3, 3)).save("20_from_outside.svg")
