"""How language models word such sentences: many ways to say the same few facts, written before the checker was.

Slots: {A} {B} {C} the units with most supporting evidence, strongest first; {N} {O} those with most opposing evidence;
{p} {q} shares of A and B, {n} of N, {s} of A and B together, {m} the negative part of the map; {t} the target;
{score} {prob} {pred}. Every third phrasing of a kind (index 2, 5, 8 …) is held out: the checker was not made with it.
"""

SHARE = (
    "About {p} of the supporting evidence comes from the {A}.",
    "The {A} accounts for {p} of everything that speaks for {t}.",
    "Roughly {p} of what convinces the model of {t} sits in the {A}.",
    "In the {A}, we find {p} of the positive evidence.",
    "The model's support for {t} is concentrated in the {A}, which contributes {p} of it.",
    "With {p} of the positive attribution, the {A} is where the network looks.",
    "{p} of the evidence in favour of {t} is located in the {A}.",
    "The {A} makes up {p} of the evidence for {t}.",
    "A share of {p} of the positive mass falls on the {A}.",
    "Looking at the {A}, one sees {p} of the total supporting evidence.",
    "The {A} alone provides {p} of the support for {t}.",
    "The {A} is responsible for {p} of the evidence supporting {t}.",
    "{p} of the evidence for {t} can be found around the {A}.",
    "The bulk of attention goes elsewhere, yet the {B} still holds {q} of the supporting evidence.",
    "Some {q} of the evidence for {t} stems from the {B}.",
    "The {B} adds another {q} of the positive evidence.",
    "The {B} carries {q} of the evidence that points to {t}.",
    "As for the {B}, its share of the supporting evidence is {q}.",
    "Note that the {B} receives {q} of the positive attribution.",
    "The supporting evidence is split between the {A} ({p}) and the {B} ({q}), among others.",
    "{p} of the supporting evidence is at the {A} and {q} at the {B}.",
    "The {A} and the {B} contribute {p} and {q} of the supporting evidence, respectively.",
    "Evidence for {t}: the {A} with {p}, then the {B} with {q}.",
    "Most notably, the {A} ({p} of the supporting evidence) drives the decision for {t}.",
    "What speaks for {t} lies mainly in the {A}: it holds {p} of the positive evidence.",
    "Of the evidence for {t}, {p} is in the {A}, while the {B} has {q}.",
    "The {A}'s contribution amounts to {p} of all positive evidence.",
    "The network draws {p} of its support for {t} from the {A}.",
    "Its decision rests to {p} on the {A}.",
    "The {A} captures {p} of the positive relevance, and the {B} captures {q}.",
    "When asked about {t}, the network puts {p} of its positive evidence on the {A}.",
    "I would point to the {A}: {p} of the supporting evidence is there.",
    "The map assigns {p} of the positive evidence to the {A}.",
)

AGAINST = (
    "The {N} holds {n} of the evidence against {t}.",
    "{n} of what speaks against {t} lies in the {N}.",
    "Of the opposing evidence, {n} is found in the {N}.",
    "The {N} accounts for {n} of the negative evidence.",
    "On the other side, the {N} carries {n} of the evidence that counts against {t}.",
    "{n} of the negative attribution falls on the {N}.",
    "The strongest counter-evidence sits in the {N}, with {n} of all that opposes {t}.",
    "The evidence against {t} is located mostly elsewhere or in the {N}, which has {n} of it.",
    "Arguments against {t} come from the {N} ({n} of the negative evidence).",
    "The {N} contributes {n} of the opposing evidence.",
    "Negative evidence is present as well; {n} of it is in the {N}.",
    "The {N} is responsible for {n} of the evidence that lowers the score.",
)

RANK = (
    "The {A} is the most important part for {t}.",
    "The strongest evidence for {t} comes from the {A}.",
    "The {A} provides the strongest support for {t}.",
    "Most of all, the model relies on the {A}, the most influential region for {t}.",
    "The single largest contribution in favour of {t} is made by the {A}.",
    "No region supports {t} more than the {A}.",
    "The {A} carries the most weight in favour of {t}.",
    "The highest share of supporting evidence is found in the {A}.",
    "Above all, it is the {A} that supports {t}.",
    "First and foremost, the model sees evidence for {t} in the {A}.",
    "The dominant source of support for {t} is the {A}.",
    "The {A} contributes more to {t} than any other region.",
    "The main reason for {t} is the {A}.",
    "The {A} stands out as the leading source of evidence for {t}.",
    "The {A} is the primary driver of the decision for {t}.",
    "Nothing supports {t} as strongly as the {A}.",
    "The {B} is the second most important region in support of {t}.",
    "In second place comes the {B}.",
    "The runner-up is the {B}.",
    "The second strongest evidence for {t} is at the {B}.",
    "The {B} ranks second among the regions that support {t}.",
    "The next most important region for {t} is the {B}.",
    "The {C} comes third in supporting {t}.",
    "The third strongest supporting region is the {C}.",
    "The {N} offers the strongest evidence against {t}.",
    "The strongest argument against {t} is the {N}.",
    "What speaks most strongly against {t} is the {N}.",
    "The most negative region is the {N}.",
    "Among the opposing regions, the {N} is the strongest.",
    "The {N} opposes {t} the most.",
)

ORDER = (
    "The {A} supports {t} more strongly than the {B}.",
    "The {A} matters more than the {B} for {t}.",
    "More of the evidence for {t} lies in the {A} than in the {B}.",
    "The strongest support comes from the {A}, followed by the {B}.",
    "Supporting evidence is greatest in the {A}, then in the {B}.",
    "The {A} outweighs the {B} as evidence for {t}.",
    "The {B} is less important for {t} than the {A}.",
    "The {B} contributes less to {t} than the {A} does.",
    "The {B} supports {t} too, but not as much as the {A}.",
    "First comes the {A}, second the {B}.",
    "The most important region for {t} is the {A}, ahead of the {B}.",
    "Compared with the {B}, the {A} holds more supporting evidence.",
    "Support for {t} is higher in the {A} than in the {B}.",
    "The {A} beats the {B} when it comes to supporting {t}.",
    "The {A} and, to a lesser extent, the {B} support {t}.",
    "The order of importance is the {A}, the {B}, the {C}.",
    "The ranking of the supporting regions reads: the {A} first, the {B} second and the {C} third.",
    "The evidence for {t} in the {A} exceeds that in the {B}.",
    "The {A} has a larger share of the supporting evidence than the {B}.",
    "The {B} trails the {A} in its support for {t}.",
    "The {B} plays a smaller role in supporting {t} than the {A}.",
)

RELATION = (
    ("The {A} supports {t}.", "The {N} opposes {t}."),
    ("The {A} speaks for {t}.", "The {N} speaks against {t}."),
    ("The {A} argues in favour of {t}.", "The {N} argues against {t}."),
    ("The {A} raises the score of {t}.", "The {N} lowers the score of {t}."),
    ("Evidence from the {A} favours {t}.", "Evidence from the {N} contradicts {t}."),
    ("The {A} pushes the model towards {t}.", "The {N} pushes the model away from {t}."),
    ("The {A} counts as evidence for {t}.", "The {N} counts as evidence against {t}."),
    ("The model takes the {A} as a sign of {t}.", "The model takes the {N} as a sign against {t}."),
    ("The presence of the {A} increases the model's belief in {t}.",
     "The presence of the {N} decreases the model's belief in {t}."),
    ("The {A} has a positive effect on {t}.", "The {N} has a negative effect on {t}."),
    ("The {A} contributes positively to {t}.", "The {N} contributes negatively to {t}."),
    ("Thanks to the {A}, the score for {t} goes up.", "Because of the {N}, the score for {t} goes down."),
    ("The {A} makes {t} more likely.", "The {N} makes {t} less likely."),
    ("The {A} backs {t}.", "The {N} undermines {t}."),
    ("The {A} is in favour of {t}.", "The {N} works against {t}."),
    ("The {A} strengthens the case for {t}.", "The {N} weakens the case for {t}."),
    ("For {t} speaks the {A}.", "Against {t} speaks the {N}."),
    ("The {A} is consistent with {t}.", "The {N} is at odds with {t}."),
    ("Support comes from the {A}.", "Opposition comes from the {N}."),
    ("The {A} points to {t}.", "The {N} points away from {t}."),
    ("The {A} helps {t}.", "The {N} hurts {t}."),
)

TOGETHER = (
    "Together, the {A} and the {B} hold {s} of the supporting evidence.",
    "The {A} and the {B} together account for {s} of the evidence for {t}.",
    "{s} of the positive evidence lies in the {A} and the {B} combined.",
    "Taken together, the {A} and the {B} make up {s} of the evidence for {t}.",
    "The {A} plus the {B} contain {s} of all supporting evidence.",
    "Combined, the {A} and {B} contribute {s} of what speaks for {t}.",
)

BALANCE = (
    "Evidence against makes up {m} of the map.",
    "{m} of the map is evidence against {t}.",
    "Overall, {m} of the attribution is negative.",
    "The opposing evidence amounts to {m} of the whole map.",
    "Counter-evidence accounts for {m} of the total evidence.",
    "In total, {m} of the evidence speaks against {t}.",
)

FACTS = (
    "The score is {score}.",
    "The model gives {t} a score of {score}.",
    "The question's score at this input is {score}.",
    "The logit for this question is {score}.",
    "With a score of {score}, the model has an opinion.",
    "This adds up to a score of about {score}.",
)

NEUTRAL = (
    "The explanation was made with {method}.",
    "Here is what the map shows.",
    "This describes what the network looks at, not what is really there.",
    "Keep in mind that such maps are approximations.",
    "The picture shows a small drawn creature.",
    "In short, the network uses a handful of regions.",
)

INVENTED = ("propeller", "steering wheel", "left antenna", "red scarf", "wooden handle", "licence plate", "camera strap",
            "right headlight", "chimney", "saddle")

# How the nine places are called.
PLACE_WORDS = {
    "top left": ("top left", "upper left", "upper-left corner", "top-left region", "top left corner", "upper left part"),
    "top": ("top", "top centre", "upper middle", "top part"),
    "top right": ("top right", "upper right", "upper-right corner", "top-right area", "top right of the image"),
    "left": ("left", "left side", "middle left", "left-hand side"),
    "centre": ("centre", "center", "middle", "central area", "centre of the picture"),
    "right": ("right", "right side", "middle right", "right-hand side"),
    "bottom left": ("bottom left", "lower left", "lower-left corner", "bottom-left region"),
    "bottom": ("bottom", "bottom centre", "lower middle", "bottom part"),
    "bottom right": ("bottom right", "lower right", "lower-right corner", "bottom-right corner"),
}
