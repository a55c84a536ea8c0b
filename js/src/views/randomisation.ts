// The cascading sanity check as a player: the same view as a question through layers; the steps are networks that become
// random, and the line under the map is the rank correlation.
export { mount } from "./layers";
