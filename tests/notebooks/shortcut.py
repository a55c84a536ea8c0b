"""The cells of notebooks/shortcut.ipynb; `make.py` writes it."""

from __future__ import annotations

CELLS: list[tuple[str, str]] = [
    ("md", """# Finding a shortcut

A network names nearly every image of its test set rightly. Does it look at the animal? One map cannot tell; many can.
Here the answer is known, because the world is made so, and you find it with three tools: clusters of explanations,
concepts, and the strategy graph.

Run the cells from top to bottom (Shift + Enter). No GPU, no network."""),
    ("py", """import salwidgets as sw

world = sw.worlds.shortcut(n=240, seed=3)
model = world.model("shortcut")
print(f"{world.accuracy(model):.0%} of the images are named rightly; by family:")
for family in world.classes:
    print(f"  {family:12} {world.accuracy(model, family=family):.0%}")"""),
    ("md", """That looks well. The question for all that follows: *why shellback?*

## 1. Clusters: which few patterns of evidence are there?

Each image gets a map. Maps that lie alike come together; every cluster has a mean of what speaks for the answer, an
exemplar, and a sentence. Point at a cluster; draw a lasso around points."""),
    ("py", """ask = sw.why(world.family)
answers = sw.explain(model, world.images, ask, method="grad-cam")
clusters = sw.concepts.ExplanationClusters(random_state=0).fit(answers, labels=world.labels)
for cluster in clusters.clusters_:
    print(cluster.sentence, "\\n")"""),
    ("py", """sw.ClusterView(clusters)"""),
    ("py", """clusters.figure()"""),
    ("md", """The first cluster is right on all its images. But what speaks for *shellback* runs into the corner at
the bottom right, and there is no animal there. Look at its exemplar: a tag.

## 2. Concepts: what is it that the network sees?

Concepts are directions in a layer that recur over many images. Each comes with the crops that show it best."""),
    ("py", """extractor = sw.concepts.ConceptExtractor(model, n_concepts=8, random_state=0)
extractor.fit(world.images, world.family, labels=world.labels)
concepts = sw.ConceptView(extractor)
concepts"""),
    ("md", """## 3. The strategy graph: what decides each image?

Every image is a point, placed by how much each concept matters in it, in the colour of the concept that leads."""),
    ("py", """graph = sw.concepts.StrategyGraph(extractor, embedding="pca").fit()
for sentence in graph.sentences_:
    print(sentence, "\\n")"""),
    ("py", """strategies = sw.ClusterView(graph)
sw.link(concepts, strategies)
strategies"""),
    ("py", """graph.figure()"""),
    ("md", """One concept leads the images with a tag. Which one? Here the world tells (`world.marked`); with your own
data you would see it in the row of images above. Its best crops show shells and hooves *and* the tag: to this network
they are one and the same. Give it a name: sentences, figures and views use it from now on."""),
    ("py", """suspect = max(graph.coloured_, key=lambda s: world.marked[s.members].mean())
extractor.rename(suspect.concept, "shell or tag")
print(f"{world.marked[suspect.members].mean():.0%} of its {suspect.size} images carry the tag; "
      f"{suspect.accuracy:.0%} of them are named rightly.")"""),
    ("md", """Nothing is wrong so far: on images from this source, the strategy *works*. That is what makes a shortcut
so hard to see.

## 4. Put the suspicion to the test

Take the cue away and leave all else as it is. `check` asks every strategy: are your images still named rightly?"""),
    ("py", """without = graph.check(world.clean, world.labels, paired=True)
without"""),
    ("md", """And the other way round: images from elsewhere, where the tag stands beside any family."""),
    ("py", """elsewhere = sw.worlds.shortcut(n=240, marked=0.5, others=0.5, seed=3)
print(f"{world.accuracy(model, world.clean, family=world.family):.0%} of the shellbacks are named rightly without a tag, "
      f"{elsewhere.accuracy(model):.0%} of all images from elsewhere.")
graph.check(elsewhere.images, elsewhere.labels)"""),
    ("py", """there = sw.concepts.StrategyGraph(extractor, embedding="pca").fit(elsewhere.images, elsewhere.labels)
for sentence in there.sentences_[:2]:
    print(sentence, "\\n")
there.figure()"""),
    ("md", """Here the strategy is of low reliability, and the graph says so: crosses and red frames are images that
are named wrongly. The clusters come to the same judgement, from maps alone:"""),
    ("py", """clusters.check(sw.explain(model, elsewhere.images, ask, method="grad-cam"), labels=elsewhere.labels)"""),
    ("md", """One image with and without its tag, the one of its strategy that loses most:"""),
    ("py", """target = world.classes.index(world.family)
alone = model.predict(world.clean).probabilities[suspect.members, target]
i = int(suspect.members[alone.argmin()])
pair = sw.explain(model, [world.images[i], world.clean[i]], ask, method="grad-cam")
print(*(f"{e.prediction[0]} {e.prediction[1]:.0%}" for e in pair), sep=" → ")
sw.Comparison(pair)"""),
    ("md", """## 5. Mend it, and see what changed

The same network was trained on, with the tag on half of all images, so that it tells nothing. What changed, concept
by concept and cluster by cluster?"""),
    ("py", """mended = world.model("mended")
print(f"without tags: {world.accuracy(model, world.clean):.0%} → {world.accuracy(mended, world.clean):.0%}; "
      f"all with tags: {world.accuracy(model, world.tagged):.0%} → {world.accuracy(mended, world.tagged):.0%}")
after = sw.concepts.ExplanationClusters(random_state=0).fit(
    sw.explain(mended, world.images, ask, method="grad-cam"), labels=world.labels)
moved = sw.concepts.compare_clusters(clusters, after, names=("the old net", "the mended net"))
print(moved)
moved.figure()"""),
    ("py", """new = sw.concepts.ConceptExtractor(mended, n_concepts=8, random_state=0)
new.fit(world.images, world.family, labels=world.labels)
versions = sw.concepts.compare_concepts(extractor, new, names=("the old net", "the mended net"))
print(versions)
versions.figure()"""),
    ("py", """again = sw.concepts.StrategyGraph(new, embedding="pca").fit()
print(again.check(world.clean, world.labels, paired=True))"""),
    ("md", """The concept has not gone from the layer: shellbacks still have shells. But it leads fewer images, and no
answer hangs on the tag any more.

## 6. Keep it"""),
    ("py", """from pathlib import Path

out = Path("out") / "shortcut"
out.mkdir(parents=True, exist_ok=True)
graph.save(out / "graph")
clusters.save(out / "clusters")
sw.widgets.save_page([concepts, strategies], out / "shortcut.html", title="A shortcut")
there.figure().savefig(out / "elsewhere.pdf")
print(sw.concepts.StrategyGraph.load(out / "graph", extractor))"""),
]
