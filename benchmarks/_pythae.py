"""The peer pythae 0.1.2 with our widths. It is no dependency of vaekit; to have it measured:

python -m pip install --no-deps --target pythae-site \
    pythae==0.1.2 pydantic pydantic-core annotated-types typing-inspection imageio cloudpickle tqdm
python benchmarks/train_step.py --pythae pythae-site

(or install it in the environment, and say `--pythae installed`).
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

from torch import Tensor, nn


def add_option(options: argparse.ArgumentParser) -> None:
    options.add_argument(
        "--pythae", type=Path, default=None, metavar="FOLDER", help="where pythae 0.1.2 is; see benchmarks/_pythae.py"
    )


def version(folder: Path | None) -> str | None:
    """Make pythae importable, and give its version; None where it is not asked for."""
    if folder is None:
        return None
    if str(folder) != "installed":
        sys.path.append(str(folder.resolve()))  # last, so that it shadows nothing of the environment
    from importlib.metadata import version as of

    return of("pythae")


def build(width: int, hidden: int, latent_dim: int) -> nn.Module:
    """Its VAE with the encoder width-hidden-latent_dim and the decoder in reverse, SiLU, Bernoulli."""
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(width, hidden), nn.SiLU())
            self.mean, self.log_var = nn.Linear(hidden, latent_dim), nn.Linear(hidden, latent_dim)

        def forward(self, x: Tensor) -> Any:
            h = self.body(x)
            return ModelOutput(embedding=self.mean(h), log_covariance=self.log_var(h))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            layers = (nn.Linear(latent_dim, hidden), nn.SiLU(), nn.Linear(hidden, width), nn.Sigmoid())
            self.body = nn.Sequential(*layers)

        def forward(self, z: Tensor) -> Any:
            return ModelOutput(reconstruction=self.body(z))

    config = VAEConfig(input_dim=(width,), latent_dim=latent_dim, reconstruction_loss="bce")
    return VAE(config, encoder=Encoder(), decoder=Decoder())


def of_networks(encoder: nn.Module, decoder: nn.Module, shape: tuple[int, ...], latent_dim: int) -> nn.Module:
    """Its VAE with given networks, to means and log variances (B, 2L) and to logits, Bernoulli."""
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.body = encoder

        def forward(self, x: Tensor) -> Any:
            mean, log_var = self.body(x).chunk(2, -1)
            return ModelOutput(embedding=mean, log_covariance=log_var)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.body = decoder

        def forward(self, z: Tensor) -> Any:
            return ModelOutput(reconstruction=self.body(z).sigmoid())

    config = VAEConfig(input_dim=shape, latent_dim=latent_dim, reconstruction_loss="bce")
    return VAE(config, encoder=Encoder(), decoder=Decoder())


def trainer(model: nn.Module, data: Tensor, batch_size: int, learning_rate: float) -> Any:
    """Its trainer, ready for `train_step(epoch)`: one pass over the data, without its progress bar."""
    logging.disable(logging.INFO)  # it greets on stderr
    from pythae.data.datasets import BaseDataset
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from pythae.trainers.training_callbacks import CallbackHandler, TrainingCallback

    config = BaseTrainerConfig(
        per_device_train_batch_size=batch_size, learning_rate=learning_rate, no_cuda=True, output_dir="unused"
    )
    out = BaseTrainer(model, BaseDataset(data, data.flatten(1)[:, 0]), training_config=config)
    out.set_optimizer()
    out.set_scheduler()
    out.callback_handler = CallbackHandler([TrainingCallback()], model)
    logging.disable(logging.NOTSET)
    return out
