/** Something that stands in a scene: its distance, and how it is drawn. */
export interface Thing {
  readonly z: number;
  readonly draw: () => void;
}

/** Draws the farthest first, so that what is nearer covers it. */
export function drawThings(things: Thing[]): void {
  for (const { draw } of things.sort((a, b) => b.z - a.z)) draw();
}
