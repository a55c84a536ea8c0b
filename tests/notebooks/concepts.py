"""The cells of notebooks/concepts.ipynb; `make.py` writes it."""

from __future__ import annotations

CELLS: list[tuple[str, str]] = [
    ("md", """# Concepts: what a network uses, over many images

A map says *where* one answer comes from. Concepts say *what* recurs: directions in a layer that many images share,
each with the crops that show it best and with how much it matters for your question.

Run the cells from top to bottom (Shift + Enter). No GPU, no network."""),
    ("py", """import numpy as np
import salwidgets as sw

world = sw.worlds.creatures(n=240, seed=0)
model = world.model("cnn")
print(world.taxonomy.members("flutterling"), world.taxonomy.members("galewing"))"""),
    ("md", """## 1. The concepts of a group

Activations of the last layer are taken apart into a few parts that only add (NMF). Importance is a total Sobol index:
how much of the answer's variance a concept accounts for when concepts are masked at random. Point at a concept: it
lights up in the pictures. Click a name to give it a better one."""),
    ("py", """extractor = sw.concepts.ConceptExtractor(model, n_concepts=16, random_state=0)
extractor.fit(world.images, "flutterling", labels=world.labels)
view = sw.ConceptView(extractor)
view"""),
    ("py", """extractor.figure(concepts=extractor.order_[:6])"""),
    ("md", """`prevalence_` is the share of images that a concept leads, `reliability_` the accuracy of those images.
All are arrays:"""),
    ("py", """import pandas as pd

pd.DataFrame({"name": extractor.names_, "importance": extractor.importance_, "prevalence": extractor.prevalence_,
              "reliability": extractor.reliability_}).round(2).sort_values("importance", ascending=False).head(6)"""),
    ("md", """## 2. Names

A name is yours to give: look at the crops. In this world it can be checked, because the pixels of every part are
known: with which part does the concept's map agree best, over the cells of many images? The name is used in
sentences, figures and views."""),
    ("py", """parts = {}
for i in range(60):
    variants = sw.worlds.anatomy.variants(world.labels[i])
    for part, mask in world.parts(i).items():
        cells = mask.reshape(8, 8, 8, 8).mean((1, 3))  # share of each of the layer's 8 x 8 cells
        parts.setdefault(variants.get(part, part), np.zeros((60, 8, 8)))[i] = cells

for k in extractor.order_[:6]:
    seen = extractor.coefficients_[:60, k].ravel()
    agree = {name: np.corrcoef(seen, cells.ravel())[0, 1] for name, cells in parts.items()}
    best = max(agree, key=agree.get)
    print(f"concept {k + 1}: importance {extractor.importance_[k]:.2f}, {best} (correlation {agree[best]:.2f})")
    extractor.rename(int(k), best)"""),
    ("md", """## 3. Concepts on new images

`transform` gives coefficients `[N, K, h, w]`; `maps` gives explanations, which every view can show. Linked to the rows
above, the pictures answer: point at a concept there, and it lights up here."""),
    ("py", """more = sw.worlds.creatures(n=4, seed=9)
lit = extractor.maps(more.images, concepts=[int(k) for k in extractor.order_[:3]])
grid = sw.Comparison(lit)
sw.link(view, grid)
grid"""),
    ("md", """## 4. The concepts of a contrast

Which concepts speak for *flutterling*, and which for *galewing*? Gradient x input has a sign (and is exact here,
because the last layer is linear), where Sobol indices have none."""),
    ("py", """rather = sw.why("flutterling").rather_than("galewing")
contrast = sw.concepts.ConceptExtractor(model, n_concepts=10, importance="gradient-x-input", random_state=0)
contrast.fit(world.images, rather, labels=world.labels)
ends = np.argsort(-contrast.importance_)
contrast.figure(concepts=[*ends[:3], *ends[-3:]])"""),
    ("md", """## 5. Strategies

Every image is a point by its concept importances, in the colour of the concept that leads. See the notebook
*shortcut* for a strategy that is not to be trusted."""),
    ("py", """graph = sw.concepts.StrategyGraph(extractor, embedding="pca", n_neighbors=2).fit()
for sentence in graph.sentences_[:3]:
    print(sentence, "\\n")
points = sw.ClusterView(graph)
sw.link(view, points)
points"""),
    ("md", """Draw a line around some points with the pointer (or walk with the arrows and press the space bar): linked views
show which of their pictures are meant, and Python knows them. Pointing at a concept above shows the images that it
leads."""),
    ("py", """points.selected = [int(i) for i in graph.strategies_[0].members[:12]]
extractor.images_[points.selected].shape"""),
    ("md", """## 6. How good are they, and how many should there be?

What concepts leave out, how sparse and stable they are, and whether taking them away does to the score what their
importance says."""),
    ("py", """found = sw.concepts.quality(contrast, world.images[:120])
found"""),
    ("py", """choice = sw.concepts.choose_n_concepts(contrast, world.images[:120], [4, 8, 12, 16, 20], folds=2, seeds=2)
print(choice.n_concepts, choice.reason)
choice.figure()"""),
    ("md", """## 7. Two models, one question

A CNN and a ViT name the same creatures equally well. Do they use the same things? Concepts are matched by where they
are seen. (For an old and a new checkpoint of one network see the notebook *shortcut*.)"""),
    ("py", """vit = sw.concepts.ConceptExtractor(world.model("vit"), n_concepts=10, dictionary="semi-nmf",
                                   importance="gradient-x-input", random_state=0)
vit.fit(world.images, rather, labels=world.labels)
versions = sw.concepts.compare_concepts(contrast, vit, names=("the CNN", "the ViT"))
print(*versions.sentences[:4], sep="\\n")
versions.figure()"""),
    ("md", """## 8. Keep it

Saved without pickle; the page works with no kernel and no network."""),
    ("py", """from pathlib import Path

out = Path("out") / "concepts"
out.mkdir(parents=True, exist_ok=True)
extractor.save(out / "extractor")
again = sw.concepts.ConceptExtractor.load(out / "extractor", model)
view.save_html(out / "concepts.html")
extractor.figure().savefig(out / "concepts.pdf")
print(again, *sorted(p.name for p in out.iterdir()), sep="\\n  ")"""),
]
