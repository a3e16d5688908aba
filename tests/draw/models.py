"""Models of every pattern, to be drawn from outside."""

import tinygrad_rnn as tg
from tinygrad_rnn import nn

MODELS = {
    "one to one": lambda: (nn.MLP([4, 8, 3], seed=0),),
    "a cell": lambda: (nn.LSTMCell(4, 3, seed=0),),
    "many to one": lambda: (nn.LSTM(4, 3, seed=0),),
    "many to many": lambda: ([nn.RNN(4, 3, return_sequences=True, return_state=True, seed=0),
                              nn.Linear(3, 5, name="hy", seed=0)], 4, 8),
    "all states": lambda: (nn.LSTM(4, 3, return_sequences=True, return_state=True,
                                   return_all_states=True, seed=0), 3),
    "one to many": lambda: (nn.OutputFeedback(nn.RNN(4, 3, seed=0),
                                              nn.Linear(3, 4, name="hy", seed=0)), 4),
    "appended": lambda: (nn.OutputFeedback(nn.RNN(6, 3, seed=0), nn.Linear(3, 4, seed=0),
                                           "teacher", append=True), 3),
    "stacked": lambda: (nn.Stacked([nn.GRU(4, 8, return_sequences=True, seed=0),
                                    nn.GRU(8, 3, seed=0)]),),
    "bidirectional": lambda: (nn.Bidirectional(nn.RNN(4, 3, return_sequences=True, seed=0)), 4),
    "bidirectional, last": lambda: (nn.Bidirectional(nn.LSTM(4, 3, return_state=True, seed=0)), 4),
    "pair": lambda: (nn.Bidirectional(nn.RNN(4, 3, return_sequences=True, seed=0), merge="none"),),
    "stacks both ways": lambda: (nn.Bidirectional(nn.Stacked(
        [nn.RNN(4, 3, return_sequences=True, seed=0), nn.RNN(3, 3, return_sequences=True,
                                                             seed=0)])), 3),
    "reverse": lambda: (nn.RNN(4, 3, reverse=True, initial_state="learned", seed=0), 3),
    "residual": lambda: (nn.Stacked([nn.RNN(4, 4, return_sequences=True, seed=k)
                                     for k in range(3)], residual=True), 2),
    "chain": lambda: ([nn.Embedding(10, 4, seed=0), nn.Stacked(
        [nn.Bidirectional(nn.GRU(4, 8, return_sequences=True, seed=0)),
         nn.GRU(16, 3, return_sequences=True, seed=0)]), tg.tanh, nn.Linear(3, 10, seed=0)], 3),
    "last, then a head": lambda: (nn.Sequential(nn.RNN(4, 3, seed=0), nn.Linear(3, 2, seed=0)),),
    "encoder, decoder": lambda: (nn.EncoderDecoder(
        nn.GRU(4, 3, seed=0), nn.GRU(2, 5, seed=0), head=nn.Linear(5, 2, seed=0), seed=0),),
    "context at every step": lambda: (nn.EncoderDecoder(
        nn.RNN(4, 3, seed=0), nn.RNN(3, 6, seed=0), context="input", seed=0), (4, 3)),
    "both contexts": lambda: (nn.EncoderDecoder(
        nn.LSTM(4, 3, seed=0), nn.LSTM(5, 6, seed=0), context="both",
        head=nn.Linear(6, 2, seed=0), seed=0), (4, 3)),
    "no bridge": lambda: (nn.EncoderDecoder(nn.RNN(4, 3, seed=0), nn.RNN(2, 3, seed=0),
                                            bridge=False, head=nn.Linear(3, 2, seed=0)), (40, 2)),
    "both ways, decoder": lambda: (nn.EncoderDecoder(
        nn.Bidirectional(nn.GRU(4, 3, seed=0)), nn.RNN(8, 5, seed=0), "both",
        head=nn.Linear(5, 2, seed=0), seed=0), (3, 4)),
    "stacks, encoder, decoder": lambda: (nn.EncoderDecoder(*(
        nn.Stacked([nn.RNN(n, 3, return_sequences=True, seed=0), nn.RNN(3, 3, seed=0)])
        for n in (4, 2)), head=nn.Linear(3, 2, seed=0), seed=0), (3, 2)),
    "vector to sequence": lambda: (nn.VectorToSequence(nn.RNNCell(4, 3, seed=0), 10, seed=0,
                                                       head=nn.Linear(3, 4, seed=0)), 4),
    "vector, with feedback": lambda: (nn.VectorToSequence(
        nn.RNNCell(4, 3, seed=0), 10, nn.Linear(3, 4, seed=0), "free_detached", seed=0), 3),
    "a cell of yours": lambda: (nn.Recurrent(leaky),),
}


def leaky(x, h):
    h = 0.9 * h + x
    return h, h
