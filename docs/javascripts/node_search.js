// The search on the index of nodes: all words of the query must occur in a node's type, summary, tags, synonyms or use cases.
(function () {
  "use strict";

  function text(tag, content, className) {
    const element = document.createElement(tag);
    element.textContent = content;
    if (className) element.className = className;
    return element;
  }

  function fits(node, words) {
    const hay = [node.type, node.title, node.summary, ...node.tags, ...node.synonyms, ...node.use_cases].join("\n").toLowerCase();
    return words.every((word) => hay.includes(word));
  }

  // What to show besides the summary: the use case or the tags in which a word was found.
  function why(node, words) {
    const found = (item) => words.some((word) => item.toLowerCase().includes(word));
    const useCase = node.use_cases.find(found);
    const tags = [...node.tags, ...node.synonyms].filter(found);
    return useCase || (tags.length ? "tags: " + tags.join(", ") : "");
  }

  // With directory URLs a page a/b.md is at a/b/, an index at its folder.
  function address(node, base) {
    return new URL(node.page.replace(/index\.md$/, "").replace(/\.md$/, "/"), base).href;
  }

  function show(list, nodes, words, base) {
    list.replaceChildren();
    if (!words.length) return;
    const found = nodes.filter((node) => fits(node, words));
    if (!found.length) list.append(text("li", "No node fits. Fewer or other words may."));
    for (const node of found.slice(0, 50)) {
      const item = document.createElement("li");
      const link = text("a", node.title);
      link.href = address(node, base);
      item.append(link, text("span", " (" + node.namespace + "): " + node.summary));
      const reason = why(node, words);
      if (reason) item.append(text("span", " " + reason, "why"));
      list.append(item);
    }
  }

  async function start(place) {
    const base = new URL(place.dataset.catalog, document.baseURI);
    const answer = await fetch(base);
    if (!answer.ok) return;
    const nodes = await answer.json();
    const input = document.createElement("input");
    input.type = "search";
    input.placeholder = "Search nodes by name, tag or use case";
    input.setAttribute("aria-label", input.placeholder);
    const list = document.createElement("ul");
    input.addEventListener("input", () => show(list, nodes, input.value.toLowerCase().split(/\s+/).filter(Boolean), base));
    place.className = "node-search";
    place.append(input, list);
  }

  const place = document.getElementById("node-search");
  if (place) start(place);
})();
