// The search, the filters and their counts; and a claim that is followed to is opened. All can be read without it.
(() => {
  "use strict";
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const tools = document.querySelector(".tools");
  const search = tools.querySelector("input[type=search]");
  const verdicts = all("input[type=radio]", tools);
  const part = tools.querySelector("select");
  const index = document.querySelector(".index"), beside = matchMedia("(min-width: 68rem)").matches;
  const claims = all(".claim").map((card) => ({
    card, fold: card.querySelector("details"), name: card.dataset.claim, verdict: card.dataset.verdict, part: card.dataset.part,
  }));
  const words = (claim) => claim.words ??= all("summary, .entry > blockquote, .statement, .facts", claim.card)
    .filter((one) => one.closest("details") === claim.fold).map((one) => one.textContent).join(" ").toLowerCase();

  const update = () => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdict = verdicts.find((one) => one.checked).value;
    const found = claims.filter((claim) => wanted.every((word) => words(claim).includes(word)));
    const having = (name, value) => (claim) => !value || claim[name] === value;
    const shown = new Set(found.filter(having("verdict", verdict)).filter(having("part", part.value)).map((one) => one.name));

    claims.forEach((claim) => { claim.card.hidden = !shown.has(claim.name); });
    all(".index li").forEach((one) => { one.hidden = !shown.has(one.dataset.claim); });
    all(".graph .node").forEach((one) => one.classList.toggle("faded", !shown.has(one.dataset.claim)));
    all(".graph .edge").forEach((one) =>
      one.classList.toggle("faded", !(shown.has(one.dataset.start) && shown.has(one.dataset.end))));
    const emptied = (selector, kept) => all(selector).forEach((one) => { one.hidden = !one.querySelector(kept); });
    emptied(".group", "li:not([hidden])");
    emptied(".graph .scroll", ".node:not(.faded)");
    emptied(".part", ".claim:not([hidden])");
    emptied(".graph", ".scroll:not([hidden])");

    verdicts.forEach((one) => {
      const number = found.filter(having("verdict", one.value)).filter(having("part", part.value)).length;
      one.nextElementSibling.querySelector("b").textContent = number;
    });
    [...part.options].forEach((one) => {
      const number = found.filter(having("verdict", verdict)).filter(having("part", one.value)).length;
      one.textContent = `${one.dataset.title} (${number})`;
    });
    tools.querySelector("[role=status]").textContent = `${shown.size} of ${claims.length} claims`;
    document.querySelector(".nothing").hidden = shown.size > 0;
  };

  const follow = () => {
    let name = location.hash.slice(1);
    try { name = decodeURIComponent(name); } catch { /* as it is */ }
    const claim = claims.find((one) => one.name === name);
    if (!claim) return;
    if (claim.card.hidden) {
      search.value = part.value = "";
      verdicts[0].checked = true;
      update();
    }
    index.open &&= beside; // else it would cover the claim
    claim.fold.open = true;
    claim.card.scrollIntoView();
  };

  tools.addEventListener("input", update);
  addEventListener("hashchange", follow);
  // A link to where one is already changes no hash.
  addEventListener("click", (event) => { if (event.target.closest("a[href^='#']")) setTimeout(follow); });
  all("button", tools).forEach((button) => button.addEventListener("click", () => claims.forEach((claim) => {
    if (!claim.card.hidden) claim.fold.open = button.value === "open";
  })));
  // What scrolls can be reached by keyboard, where the browser does not see to that.
  addEventListener("toggle", (event) => all(".scroll, .statement, .facts dd", event.target).forEach((one) => {
    if (one.scrollWidth > one.clientWidth) one.tabIndex = 0;
  }), true);

  tools.hidden = false;
  index.open = beside;
  update();
  follow();
})();
