"""A scan of a network in PyTorch: depth, widths, optimizer and learning rate for a curve with noise.

python minimise_torch.py
hyperparton report scans/torch
"""

from itertools import pairwise

import torch

from hyperparton import hp_choice, hp_loguniform, hp_quniform, hp_uniform, minimise

X = torch.linspace(-1, 1, 200).unsqueeze(1)
TRUTH = torch.sin(6 * X) * torch.exp(-X)

# a width for each layer, of as many layers as were chosen
LAYERS = [
    [hp_quniform(f"width{depth}.{i}", 4, 32, step_size=1, make_int=True) for i in range(depth)] for depth in (1, 2, 3)
]
SPACE = {
    "layers": hp_choice("layers", LAYERS),
    "optimizer": hp_choice(
        "optimizer",
        [
            {"optimizer_name": "Adam", "lr": hp_loguniform("Adam.lr", 1e-4, 1e-1)},
            {
                "optimizer_name": "SGD",
                "lr": hp_loguniform("SGD.lr", 1e-3, 1.0),
                "momentum": hp_uniform("momentum", 0.0, 0.95),
            },
        ],
    ),
    "epochs": 200,
}


def network(widths):
    """Layers of these widths with tanh between them."""
    sizes = [1, *widths]
    hidden = [layer for pair in pairwise(sizes) for layer in (torch.nn.Linear(*pair), torch.nn.Tanh())]
    return torch.nn.Sequential(*hidden, torch.nn.Linear(sizes[-1], 1))


def error(params, seed, report):
    """The mean squared error on the points that are not trained on; `seed` draws noise, split and first weights."""
    torch.manual_seed(seed)
    y = TRUTH + 0.1 * torch.randn_like(X)
    hidden = torch.rand(len(X)) < 0.25
    model = network(params["layers"])
    arguments = dict(params["optimizer"])
    optimizer = getattr(torch.optim, arguments.pop("optimizer_name"))(model.parameters(), **arguments)
    for epoch in range(1, params["epochs"] + 1):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(X[~hidden]), y[~hidden]).backward()
        optimizer.step()
        if epoch % 20 == 0:
            with torch.no_grad():
                loss = torch.nn.functional.mse_loss(model(X[hidden]), y[hidden]).item()
            report(epoch, loss, epochs=params["epochs"])
    return loss


if __name__ == "__main__":
    torch.set_num_threads(1)  # the network is small
    best = minimise(error, SPACE, trials=30, output="scans/torch", prune=True)
    print(f"trial {best.trial}: mean squared error {best.loss:.4f} with {best.parameters}")
