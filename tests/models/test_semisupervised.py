"""M2: its bounds against exact values, against a VAE of each label, and where its gradients go."""

import dataclasses
import itertools

import pytest
import torch
from torch import nn

from vaekit.likelihoods import Bernoulli
from vaekit.models import VAE
from vaekit.models.semisupervised import LabelTerms, SemiSupervisedVAE
from vaekit.nn import MLP
from vaekit.objectives import elbo, labelled_elbo, semi_supervised
from vaekit.randomness import isolated_rng
from vaekit.schema import ColumnStats

D, L, H = 4, 2, 5
EVERY = torch.tensor(list(itertools.product((0.0, 1.0), repeat=D)))  # (16, D): all rows there are


@isolated_rng(0)
def model(classes: int) -> SemiSupervisedVAE:
    """With weights that are no special ones."""
    made = SemiSupervisedVAE(Bernoulli((D,)), classes, L, (H,), "tanh", ColumnStats.placeholder((D,)))
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.5)
    return made.eval()


def vae_of(made: SemiSupervisedVAE, c: int) -> VAE:
    """The VAE that M2 is for one label, which only moves the biases of the first layers."""
    parts = []
    for part, ends in ((made.encoder, (D, 2 * L)), (made.decoder, (L, D))):
        plain = MLP(ends[0], (H,), ends[1], "tanh")
        plain.load_state_dict(part.mlp.state_dict())
        with torch.no_grad():
            plain.layers[0].bias += part.label.weight[:, c]
        parts.append(plain)
    return VAE(*parts, Bernoulli((D,)), L).eval()


def terms_with(log_qy: torch.Tensor, bounds: torch.Tensor) -> LabelTerms:
    """Terms whose labelled bounds are `bounds`, (B, C)."""
    classes = bounds.shape[1]
    return LabelTerms(bounds.T[None], torch.zeros(classes, len(bounds), 1), torch.zeros(classes), log_qy)


def test_summed_labels_under_the_best_q_are_the_log_sum():
    bounds = torch.randn(6, 3, dtype=torch.float64) * 3
    nothing, zero = torch.full((6,), -1), torch.zeros(1)
    best = semi_supervised(terms_with(bounds.log_softmax(1), bounds), nothing, zero)
    torch.testing.assert_close(best, bounds.logsumexp(1))
    other = semi_supervised(terms_with(torch.randn(6, 3).double().log_softmax(1), bounds), nothing, zero)
    assert bool((other < best).all())


def test_two_labels_a_row_give_the_sum_over_all_and_its_gradients_in_expectation():
    """Over every label that may be drawn beside the likeliest, weighted by its probability."""
    logits = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    bounds = (torch.randn(6, 4, dtype=torch.float64) * 3).requires_grad_()
    nothing, zero = torch.full((6,), -1), torch.zeros(1)
    log_q = logits.log_softmax(1)
    first = log_q.argmax(1)
    others = torch.arange(4).expand(6, 4)[torch.arange(4) != first[:, None]].view(6, 3)
    expected = 0.0
    for second in others.T:
        labels = torch.stack([first, second])
        two = LabelTerms(bounds.gather(1, labels.T).T[None], torch.zeros(2, 6, 1), torch.zeros(4), log_q, labels)
        chance = log_q.exp().detach().gather(1, second[:, None])[:, 0]
        expected = expected + chance / (1 - log_q.exp().detach().amax(1)) * semi_supervised(two, nothing, zero)
    exact = semi_supervised(terms_with(log_q, bounds), nothing, zero)
    torch.testing.assert_close(expected, exact)
    ours, theirs = (
        torch.autograd.grad(value.sum(), (logits, bounds), retain_graph=True) for value in (expected, exact)
    )
    torch.testing.assert_close(ours, theirs)


def test_two_labels_take_codes_from_their_own_posteriors():
    made = model(3)
    with torch.no_grad():
        made.encoder.mlp.output.bias[L:] = -30  # q(z|x,y) is all but a point
    every, two = made.terms(EVERY), made.terms(EVERY, given=torch.arange(16) % 4 - 1)
    torch.testing.assert_close(two.log_px[0], every.log_px[0].gather(0, two.labels), rtol=0, atol=1e-2)


def test_two_labels_reach_rows_of_which_q_is_sure_beyond_float32():
    logits, bounds = torch.tensor([[14.0, 0.0]]), torch.tensor([[-500.0, -300.0]])
    nothing, zero, labels = torch.tensor([-1]), torch.zeros(1), torch.tensor([[0], [1]])
    gradients = []
    for kind, given in ((torch.float32, labels), (torch.float64, None)):
        leaf = logits.to(kind).requires_grad_()
        terms = dataclasses.replace(terms_with(leaf.log_softmax(1), bounds.to(kind)), labels=given)
        gradients.append(torch.autograd.grad(semi_supervised(terms, nothing, zero).sum(), leaf)[0])
    torch.testing.assert_close(gradients[0].double()[0, 1], gradients[1][0, 1], rtol=1e-3, atol=0)


def test_two_labels_are_the_given_or_likeliest_and_one_drawn_from_the_others():
    made = model(4)
    y = torch.arange(16) % 5 - 1
    q = made.label_posterior(EVERY).probs
    with isolated_rng(1):
        drawn = torch.stack([made.terms(EVERY, given=y).labels for _ in range(2000)])  # (2000, 2, 16)
    first = torch.where(y < 0, q.argmax(1), y)
    assert bool((drawn[:, 0] == first).all())
    shares = nn.functional.one_hot(drawn[:, 1], 4).double().mean(0)
    chances = q.double().scatter(1, first[:, None], 0)
    chances /= chances.sum(1, keepdim=True)
    assert bool(((shares - chances).abs() <= 5 * (chances * (1 - chances) / 2000).sqrt()).all())


def test_two_labels_have_the_bounds_of_their_labels():
    made = model(3)
    with torch.no_grad():
        made.decoder.mlp.layers[0].weight.zero_()  # no z in p(x|y)
        made.log_py.copy_(torch.tensor([0.2, 0.3, 0.5]).log())
    y = torch.arange(16) % 4 - 1
    every, two = made.terms(EVERY), made.terms(EVERY, given=y)
    torch.testing.assert_close(labelled_elbo(two), labelled_elbo(every).gather(1, two.labels.T))
    zero = torch.zeros(1)
    torch.testing.assert_close(semi_supervised(two, y, zero)[y >= 0], semi_supervised(every, y, zero)[y >= 0])


def test_unlabelled_bound_is_the_expected_one_plus_an_entropy():
    made = model(3)
    terms = made.terms(EVERY)
    q = made.label_posterior(EVERY)
    expected = (q.probs * labelled_elbo(terms)).sum(1) + q.entropy()
    torch.testing.assert_close(semi_supervised(terms, torch.full((16,), -1), torch.zeros(1)), expected)


def test_known_labels_pick_their_bound_and_alpha_adds_the_classification_term():
    terms = model(3).terms(EVERY)
    y, log_qy = torch.arange(16) % 4 - 1, torch.tensor([-0.5, -1.5])
    values = semi_supervised(terms, y, log_qy, alpha=0.3) - 0.3 * -1.0
    known = labelled_elbo(terms)[torch.arange(16), y]
    torch.testing.assert_close(values[y >= 0], known[y >= 0])
    assert not torch.isclose(values[y < 0], known[y < 0]).any()


def test_a_model_that_leaves_z_alone_is_exact_and_sums_to_one():
    made = model(3)
    with torch.no_grad():
        made.encoder.mlp.output.weight.zero_()
        made.encoder.mlp.output.bias.zero_()  # q(z|x,y) = N(0, I)
        made.decoder.mlp.layers[0].weight.zero_()  # p(x|y,z) = p(x|y)
    terms = made.terms(EVERY)
    joint = labelled_elbo(terms)  # (16, 3) log p(x, y)
    assert joint.exp().sum().item() == pytest.approx(1, abs=1e-5)
    exact = terms_with(joint.log_softmax(1), joint)  # with q(y|x) = p(y|x)
    log_px = semi_supervised(exact, torch.full((16,), -1), torch.zeros(1))
    assert log_px.exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_the_bound_of_a_label_is_that_of_a_vae_with_the_label_in_its_biases():
    made = model(3)
    every, terms = torch.eye(3).unsqueeze(1), made.terms(EVERY)
    z = torch.randn(7, 16, L)
    for c in range(3):
        vae = vae_of(made, c)
        torch.testing.assert_close(terms.kl[c], vae.terms(EVERY).kl)
        torch.testing.assert_close(made.decode(z, every[c]).log_prob(EVERY), vae.decode(z).log_prob(EVERY))


def test_one_label_is_a_vae():
    made = model(1)
    torch.manual_seed(3)
    ours = labelled_elbo(made.terms(EVERY, num_samples=2))[:, 0]
    vae = vae_of(made, 0)
    torch.manual_seed(3)
    torch.testing.assert_close(ours, elbo(vae.terms(EVERY, 2)))


@pytest.mark.parametrize(("labelled", "alpha", "reaches"), [(True, 0.0, False), (True, 0.1, True), (False, 0.0, True)])
def test_where_the_classifier_gets_its_gradient_from(labelled, alpha, reaches):
    made = model(3).train()
    y = torch.arange(16) % 3 if labelled else torch.full((16,), -1)
    log_qy = made.label_posterior(EVERY).log_prob(torch.arange(16) % 3)
    semi_supervised(made.terms(EVERY), y, log_qy, alpha=alpha).mean().backward()
    gradient = made.classifier.output.weight.grad
    assert gradient is not None and bool((gradient != 0).any()) == reaches
    assert bool((made.decoder.label.weight.grad != 0).all())


def test_gradient_in_q_of_the_labels():
    bounds = torch.randn(4, 3, dtype=torch.float64)
    nothing, zero = torch.full((4,), -1), torch.zeros(1, dtype=torch.float64)

    def bound(logits: torch.Tensor) -> torch.Tensor:
        return semi_supervised(terms_with(logits.log_softmax(1), bounds), nothing, zero)

    logits = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(bound, logits)
    best = bounds.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(bound(best).sum(), best)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient))
