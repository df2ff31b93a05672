"""Explanations of SITH's figures."""

from sing_compute.store.definition import Explanation

SOURCE = "docs/heads.md; arXiv 2603.24653"
STRENGTH = Explanation(
    "root of the sum of the squared singular values",
    "How much the heads can write: the Frobenius norm of what reads and writes, without attention.",
    "Not how often they attend to anything.",
    SOURCE,
)
COSINE = Explanation(
    "cosine between the mix of K concepts and the vector, in the joint space, both without their means",
    "How well the words describe the vector. 1 would be a full description.",
    "Not a proof that the vector acts as its name says: later layers are left out.",
    SOURCE,
)
FIDELITY = Explanation(
    "cosine between the vector and its mix, led back by the pseudoinverse of the projection",
    "The paper's figure for a name. Read it against its ceiling.",
    "Not comparable between towers: the way back is not the inverse of the way there.",
    SOURCE,
)
CEILING = Explanation(
    "the fidelity of the vector itself in the place of its mix",
    "What a perfect mix would reach.",
    "Not a figure of the name.",
    SOURCE,
)
COHERENCE = Explanation(
    "mean cosine between the concepts of a mix, weighted by the products of their coefficients",
    "High: the concepts belong together, in CLIP's own text space.",
    "Not independent: COMP looks for it in the same space.",
    SOURCE,
)
UNUSED = Explanation(
    "picks with coefficient 0 over all picks",
    "Picks that do not help the mix; they are never shown as concepts.",
    "Many of them mean a vocabulary that does not fit, or an image mean that is not known.",
    SOURCE,
)
