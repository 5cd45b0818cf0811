// The training set as two pictures, one for each half of an example.

function pictureOfP(examples, width) {
  const points = [];
  for (let i = 0; i < examples.n; i++)
    if (examples.kind[i] !== "Q") points.push([examples.x1[i * examples.d + 2], examples.x1[i * examples.d], examples.y[i]]);
  const edge = examples.gamma0;
  return scatter({
    title: `P: the first half, 2 of its ${examples.d} directions`,
    points, width, xLabel: "along w*", yLabel: "any other direction",
    lines: [[edge, -1, edge, 1], [-edge, -1, -edge, 1]],
    description: `A straight gap between the labels along one direction, w star; the other ${examples.d - 1} directions are noise.`,
  });
}

function pictureOfQ(examples, width) {
  const points = [];
  for (let i = 0; i < examples.n; i++)
    if (examples.kind[i] !== "P") {
      const alpha = examples.amplitude[i] / examples.s;
      points.push([alpha, alpha * examples.b[i], examples.y[i]]);
    }
  return scatter({
    title: "Q: the second half, all of it",
    points, width, xLabel: "along z", yLabel: `along ζ, × ${numberText(1 / examples.r)}`,
    description: "Three rays. The label is plus on the middle one and minus on both others, so no straight line separates the labels.",
  });
}
