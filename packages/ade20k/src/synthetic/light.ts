import type { Random } from '@ii/tensor';
import { mixed, pick, type Colour } from './colour.js';
import { dot, mix, unit, type Vec3 } from './maths.js';

/** Time of day and weather, as they light and colour a scene. */
export interface Light {
  readonly zenith: Colour;
  readonly horizon: Colour;
  readonly cloudBright: Colour;
  readonly cloudDark: Colour;
  /** Share of the sky under clouds, 0 to 1. */
  readonly cloudiness: number;
  /** Direction to the sun. */
  readonly sun: Vec3;
  /** Factors of what the sun lights. */
  readonly sunlight: Colour;
  /** Factors of what the sky lights. */
  readonly skylight: Colour;
  /** Distance at which half of what is seen is air, in metres. */
  readonly visibility: number;
}

type Mood = Pick<Light, 'zenith' | 'horizon' | 'cloudBright' | 'cloudDark' | 'sunlight' | 'skylight'> & {
  readonly cloudiness: readonly [number, number];
  /** How often, relative to the others. */
  readonly weight: number;
};

// prettier-ignore
const MOODS: readonly Mood[] = [
  { weight: 4, zenith: [58, 112, 188], horizon: [172, 205, 232], cloudBright: [250, 250, 250], cloudDark: [190, 198, 208],
    sunlight: [0.72, 0.68, 0.6], skylight: [0.46, 0.5, 0.55], cloudiness: [0, 0.5] },
  { weight: 3, zenith: [116, 160, 212], horizon: [218, 229, 238], cloudBright: [252, 252, 252], cloudDark: [200, 206, 214],
    sunlight: [0.6, 0.57, 0.52], skylight: [0.55, 0.57, 0.6], cloudiness: [0.2, 0.8] },
  { weight: 3, zenith: [186, 192, 200], horizon: [226, 228, 230], cloudBright: [238, 239, 240], cloudDark: [172, 176, 182],
    sunlight: [0.12, 0.12, 0.12], skylight: [0.8, 0.81, 0.83], cloudiness: [0.7, 1] },
  { weight: 2, zenith: [112, 132, 186], horizon: [250, 214, 168], cloudBright: [255, 226, 190], cloudDark: [168, 146, 160],
    sunlight: [0.95, 0.66, 0.36], skylight: [0.4, 0.39, 0.44], cloudiness: [0.1, 0.7] },
  { weight: 1, zenith: [86, 84, 138], horizon: [238, 172, 148], cloudBright: [232, 190, 186], cloudDark: [124, 108, 146],
    sunlight: [0.62, 0.4, 0.28], skylight: [0.4, 0.37, 0.46], cloudiness: [0.3, 0.9] },
  { weight: 1, zenith: [104, 114, 130], horizon: [178, 184, 190], cloudBright: [186, 190, 196], cloudDark: [92, 98, 110],
    sunlight: [0.14, 0.14, 0.13], skylight: [0.6, 0.62, 0.66], cloudiness: [0.8, 1] },
];
const DECK = MOODS.flatMap((mood) => Array.from({ length: mood.weight }, () => mood));

/** Visibilities in metres, from fog to a clear day. */
const AIR = [160, 500, 1200, 2500, 2500, 5000, 5000, 9000, 16000] as const;

/** A random time of day and weather, between two of the moods. */
export function randomLight(random: Random): Light {
  const [mood, other] = [pick(random, DECK), pick(random, DECK)];
  const share = random.uniform(0, 0.35);
  const both = (key: 'zenith' | 'horizon' | 'cloudBright' | 'cloudDark' | 'sunlight' | 'skylight'): Colour =>
    mixed(mood[key], other[key], share);
  return {
    zenith: both('zenith'),
    horizon: both('horizon'),
    cloudBright: both('cloudBright'),
    cloudDark: both('cloudDark'),
    sunlight: both('sunlight'),
    skylight: both('skylight'),
    cloudiness: random.uniform(...mood.cloudiness),
    sun: unit([random.uniform(-1.6, 1.6), random.uniform(0.5, 1.3), random.uniform(-1.3, 0.35)]),
    visibility: pick(random, AIR) * random.uniform(0.8, 1.25),
  };
}

/** Factors by which the light of sun and sky colours a surface. */
export function shade({ sun, sunlight, skylight }: Light, normal: Vec3): Colour {
  // A little of the sun comes round every corner.
  const facing = Math.max(0, dot(normal, sun) + 0.25) / 1.25;
  const open = mix(0.8, 1.1, (normal[1] + 1) / 2);
  return [
    skylight[0] * open + sunlight[0] * facing,
    skylight[1] * open + sunlight[1] * facing,
    skylight[2] * open + sunlight[2] * facing,
  ];
}

/** How much of what is seen at a distance is air, 0 to 1. */
export const airShare = ({ visibility }: Light, distance: number): number => distance / (distance + visibility);
