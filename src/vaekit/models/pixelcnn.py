"""PixelCNN: a density over images by the chain rule, exact and without latent variables."""

from __future__ import annotations

from torch import Tensor, nn

from vaekit.likelihoods import Autoregressive
from vaekit.likelihoods.autoregressive import AutoregressiveImage


class PixelCNN(nn.Module):
    r"""p(x) = prod_ij p(x_ij | the pixels before it), by gated causal convolutions.

    van den Oord et al. (2016), Pixel recurrent neural networks and Conditional image generation with PixelCNN decoders.

    Args:
        likelihood: with no features.

    >>> from vaekit.likelihoods import Bernoulli
    >>> model = PixelCNN(Autoregressive(Bernoulli((4, 4)), features=0, layers=2, channels=4))
    >>> model.log_prob(model.sample(3)).shape
    torch.Size([3])
    """

    def __init__(self, likelihood: Autoregressive) -> None:
        super().__init__()
        self.likelihood = likelihood

    def distribution(self) -> AutoregressiveImage:
        """p(x), of no batch shape."""
        return self.likelihood(next(self.parameters()).new_zeros(0, *self.likelihood.shape))

    def log_prob(self, x: Tensor) -> Tensor:
        r"""(B,) log p(x) in nats for x of shape (B, \*shape): exact."""
        return self.distribution().log_prob(x)

    def sample(self, n: int) -> Tensor:
        r"""(n, \*shape) images from torch's global generator."""
        return self.distribution().sample((n,))

    def complete(self, x: Tensor, observed: Tensor) -> Tensor:
        r"""Images of which some pixels are given, see `AutoregressiveImage.complete`.

        Args:
            x: (B, \*shape).
            observed: booleans (B, \*shape) or (\*shape,).
        """
        return self.distribution().complete(x, observed, (len(x),))
