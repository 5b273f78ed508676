// The theme starts mermaid with settings of its own. Besides, a diagram that is wider than the page shall scroll instead of
// shrinking until nobody can read it. On wide screens all but the tables' diagram nearly fit, and shrink a little.
const begin = mermaid.initialize;
const nearlyFits = { useMaxWidth: matchMedia("(min-width: 60em)").matches };
mermaid.initialize = (settings) =>
  begin({ ...settings, flowchart: nearlyFits, state: nearlyFits, er: { useMaxWidth: false } });
