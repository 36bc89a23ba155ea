/** The language that the page speaks: one so far. */
import { en, type Strings } from './en';

export const t: Strings = en;

export { bytes, clock, duration, moment } from './numbers';
