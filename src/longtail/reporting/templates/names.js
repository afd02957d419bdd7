"use strict";
// Review of named photographs. Texts of the user reach the page as text only, never as HTML.
(() => {
  const at = (id) => document.getElementById(id);
  const data = JSON.parse(at("data").textContent);
  const cards = data.cards, storage = `longtail:${data.key}`;
  const UNKNOWN = "unknown", NO_ANIMAL = "no animal", ABOVE = "sp.";
  const COLUMNS = ["file", "sha256", "box", "name", "qualifier", "by", "when", "previous_answer", "folder"];
  const CHUNK = 60, LEAST_SIMILARITY = 0.9, MARGIN = 1500;
  let choices = new Map(); // by photograph: name, qualifier, by, when
  let elsewhere = []; // loaded rows of photographs that are not on the page
  let history = [], visible = [], drawn = 0, current = -1, similarTo = null, unsaved = 0;

  // ---- names -------------------------------------------------------------------------------
  const shown = (name) => {
    const spaced = name.replace(/_/g, " ").trim() || name;
    return data.binomial ? spaced.charAt(0).toUpperCase() + spaced.slice(1) : spaced;
  };
  const folded = (text) => shown(text).normalize("NFC").toLowerCase();
  const known = new Map(data.species.map((name) => [folded(name), name]));
  const higher = new Map(data.higher.map((name) => [folded(name), name]));
  const id = (card) => `${card.sha256 || card.file}|${card.box}`;
  const first = (card) => (card.guesses.length ? card.guesses[0][0] : "");
  const proposal = (card) =>
    card.trusted && card.rank !== "species"
      ? { name: card.answer, qualifier: ABOVE }
      : first(card) ? { name: card.trusted ? card.answer : first(card), qualifier: "" } : { name: "", qualifier: NO_ANIMAL };
  const title = ({ name, qualifier }) =>
    qualifier === UNKNOWN ? "Unknown" : qualifier === NO_ANIMAL ? "No animal"
      : [shown(name), qualifier].filter(Boolean).join(" ");
  const typed = (text) => {
    const doubt = /\s(cf|aff|nr|agg|sp)\.?(?=\s|$)/.exec(text);
    const name = text.replace(/\s(cf|aff|nr|agg|sp)\.?(?=\s|$)/, "").trim();
    if (known.has(folded(name))) return { name: known.get(folded(name)), qualifier: doubt ? `${doubt[1]}.` : "" };
    if (higher.has(folded(name))) return { name: higher.get(folded(name)), qualifier: ABOVE };
    return { name, qualifier: doubt ? `${doubt[1]}.` : "" };
  };

  // ---- choices, kept in the browser --------------------------------------------------------
  const keep = () => {
    try {
      localStorage.setItem(storage, JSON.stringify({ choices: [...choices], elsewhere, by: at("by").value }));
      at("unkept").hidden = true;
    } catch { at("unkept").hidden = false; } // forbidden or full: the page says so
  };
  const restore = () => {
    try {
      const kept = JSON.parse(localStorage.getItem(storage) || "{}");
      choices = new Map(kept.choices || []);
      elsewhere = kept.elsewhere || [];
      at("by").value = kept.by || "";
    } catch { at("unkept").hidden = false; }
  };
  const change = (pairs) => {
    history.push({ before: pairs.map(([key]) => [key, choices.get(key)]), elsewhere });
    assign(pairs);
  };
  const assign = (pairs) => {
    for (const [key, choice] of pairs) choice ? choices.set(key, choice) : choices.delete(key);
    unsaved += pairs.length;
    keep();
    const changed = new Set(pairs.map(([key]) => key));
    for (const element of at("cards").querySelectorAll(".card"))
      if (changed.has(id(cards[element.dataset.card]))) refresh(element);
    for (const heading of at("cards").querySelectorAll("h2")) heading.update();
    if (at("large").open) enlarge(current);
    report();
  };
  const made = (choice) => ({ ...choice, by: at("by").value.trim(), when: new Date().toISOString() });
  const choose = (number, choice) => {
    change([[id(cards[number]), made(choice)]]);
    step(1);
  };
  const undo = () => {
    const last = history.pop();
    if (!last) return;
    elsewhere = last.elsewhere;
    assign(last.before);
  };
  const report = (note) => {
    const checked = cards.filter((card) => choices.has(id(card))).length;
    at("progress").value = (note ? `${note}. ` : "") + `${checked.toLocaleString("en")} of ${cards.length.toLocaleString("en")} checked`
      + (unsaved ? ", not all saved in a file yet" : "");
    at("undo").disabled = history.length === 0;
  };

  // ---- cards -------------------------------------------------------------------------------
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes))
      name.startsWith("on") ? element.addEventListener(name.slice(2), value) : element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const thumbnail = (number) => {
    const stored = at(`picture${number}`);
    return stored ? `data:image/webp;base64,${stored.textContent}` : "";
  };
  const percent = (share) => `${share > 0.995 && share < 1 ? ">99" : Math.round(100 * share)}%`;
  const same = (one, other) => one && one.name === other.name && one.qualifier === other.qualifier;
  const controls = (number) => {
    const card = cards[number], choice = choices.get(id(card));
    const act = (label, target, hint) =>
      make("button", { "aria-pressed": String(Boolean(same(choice, target))), title: hint, onclick: () => choose(number, target) }, label);
    const guesses = card.guesses.slice(0, at("large").open ? 5 : 3).map(([name, share], place) => {
      const button = act("", { name, qualifier: "" }, `Key ${place + 1}`);
      button.className = "guess";
      button.style.setProperty("--share", `${100 * share}%`);
      button.append(make("span", {}, shown(name)), make("span", { class: "share" }, percent(share)));
      return button;
    });
    const acts = make("div", { class: "acts" },
      act("✓ Right", proposal(card), "Enter"),
      act("Unknown", { name: "", qualifier: UNKNOWN }, "Key u"),
      act("No animal", { name: "", qualifier: NO_ANIMAL }, "Key n"));
    if (card.genus) acts.insertBefore(act(`${shown(card.genus)} sp.`, { name: card.genus, qualifier: ABOVE }, "Key g"), acts.children[1]);
    const other = make("input", {
      class: "other", list: "species", placeholder: "other name", "aria-label": `Other name of ${card.file}`,
      onchange: (event) => event.target.value.trim() && choose(number, typed(event.target.value.trim())),
    });
    const isInDataSet = !choice || choice.qualifier || data.species.includes(choice.name);
    const state = choice ? `✓ checked${isInDataSet ? "" : ", a new name"}` : card.trusted ? `trusted ${card.rank}, ${percent(card.probability)}` : card.novel ? card.why : "not sure";
    return [
      make("p", { class: "answer" }, make("bdi", {}, title(choice || proposal(card))), choice || card.trusted ? "" : " ?"),
      make("p", { class: "state", title: card.why }, state), ...(card.note ? [make("p", { class: "remark" }, card.note)] : []), ...guesses, acts, other,
      make("p", { class: "path" }, [card.box ? card.file.split("#xywh=")[0] : card.file, card.box && `box ${card.box}`, card.timestamp, card.deployment, card.already_in && `in the data set: ${card.already_in}`].filter(Boolean).join(" · ")),
    ];
  };
  const draw = (number) => {
    const card = cards[number], source = thumbnail(number);
    const picture = make("button", { class: "picture", "aria-label": `Larger picture of ${card.file}`, title: "Larger picture (space)", onclick: () => { select(number); enlarge(number); } },
      source ? make("img", { src: source, alt: "", decoding: "async" }) : "no picture");
    const element = make("article", { class: "card", tabindex: "-1", "data-card": number, "aria-label": card.file, onfocusin: () => { current = number; } }, picture, ...controls(number));
    element.classList.toggle("checked", choices.has(id(card)));
    return element;
  };
  const refresh = (element) => {
    const number = Number(element.dataset.card);
    const inside = element.contains(document.activeElement);
    element.replaceChildren(element.firstElementChild, ...controls(number));
    element.classList.toggle("checked", choices.has(id(cards[number])));
    if (inside) element.focus({ preventScroll: true });
  };

  // ---- order, groups, filters --------------------------------------------------------------
  const doubt = (card) => (card.trusted ? 1 : 0) + card.probability;
  const similarity = (one, other) => {
    const shares = new Map(other.guesses), norm = (card) => Math.hypot(...card.guesses.map(([, share]) => share));
    const product = one.guesses.reduce((sum, [name, share]) => sum + share * (shares.get(name) || 0), 0);
    return product / (norm(one) * norm(other));
  };
  const text = (one, other) => (one < other ? -1 : one > other ? 1 : 0);
  const ORDERS = {
    doubtful: ["most doubtful first", (one, other) => doubt(one) - doubt(other), () => ""],
    species: ["by species", (one, other) => text(folded(title(proposal(one))), folded(title(proposal(other)))) || doubt(one) - doubt(other), (card) => title(proposal(card))],
    night: ["by night", (one, other) => text(one.night, other.night) || text(one.timestamp, other.timestamp), (card) => card.night || "without a date"],
    file: ["by file", () => 0, () => ""],
  };
  const FILTERS = {
    all: () => true, open: (card) => !choices.has(id(card)), checked: (card) => choices.has(id(card)),
    doubtful: (card) => !card.trusted, trusted: (card) => card.trusted,
  };
  const arrange = () => {
    const numbers = cards.map((_, number) => number), wanted = folded(at("find").value);
    if (similarTo !== null) {
      const alike = new Map(numbers.map((number) => [number, similarity(cards[similarTo], cards[number])]));
      visible = numbers.filter((number) => number === similarTo || (alike.get(number) >= LEAST_SIMILARITY && !choices.has(id(cards[number]))));
      visible.sort((one, other) => (other === similarTo) - (one === similarTo) || alike.get(other) - alike.get(one));
    } else {
      const [, compare] = ORDERS[at("order").value];
      const found = (card) => !wanted || folded([card.file, card.answer, first(card), (choices.get(id(card)) || {}).name || "", card.deployment].join("\n")).includes(wanted);
      visible = numbers.filter((number) => FILTERS[at("show").value](cards[number]) && found(cards[number]));
      visible.sort((one, other) => compare(cards[one], cards[other]) || one - other);
    }
    at("cards").replaceChildren();
    drawn = 0;
    current = -1;
    if (similarTo !== null) at("cards").append(headingOfSimilar());
    more();
  };
  const heading = (words, numbers, choiceOf, label) => {
    const remark = make("small"), button = make("button", { onclick: () => change(open().map((number) => [id(cards[number]), made(choiceOf(cards[number]))])) });
    const open = () => numbers.filter((number) => !choices.has(id(cards[number])));
    const element = make("h2", {}, make("bdi", {}, words), button, remark);
    element.update = () => {
      const left = open().length;
      button.textContent = label(left);
      button.hidden = !choiceOf || left === 0;
      remark.textContent = `${numbers.length.toLocaleString("en")} shown, ${left.toLocaleString("en")} to check. ${data.records[words] || ""}`;
    };
    element.update();
    return element;
  };
  const headingOfSimilar = () => {
    const card = cards[similarTo], choice = choices.get(id(card)) || proposal(card);
    const plain = { name: choice.name, qualifier: choice.qualifier };
    const element = heading(`Similar to ${card.file}`, visible, () => plain, (left) => `Name all ${left} ${title(plain)}`);
    element.append(make("button", { onclick: leave }, "Back (Esc)"));
    return element;
  };
  const leave = () => { const back = similarTo; similarTo = null; arrange(); show(back); };
  const more = () => {
    const groupOf = similarTo === null ? ORDERS[at("order").value][2] : () => "";
    do {
      const part = document.createDocumentFragment();
      for (const number of visible.slice(drawn, drawn + CHUNK)) {
        const group = groupOf(cards[number]);
        if (group && (drawn === 0 || group !== groupOf(cards[visible[drawn - 1]]))) {
          const members = visible.filter((other) => groupOf(cards[other]) === group);
          const accept = at("order").value === "species" ? proposal : null;
          part.append(heading(group, members, accept, (left) => (left === 1 ? "It is right" : `All ${left} are right`)));
        }
        part.append(draw(number));
        drawn += 1;
      }
      at("cards").append(part);
    } while (drawn < visible.length && at("end").getBoundingClientRect().top < innerHeight + MARGIN);
    at("end").textContent = visible.length === 0 ? "No photograph fits." : drawn < visible.length ? "More when you scroll." : "";
  };

  // ---- movement and the larger picture -----------------------------------------------------
  const elementOf = (number) => at("cards").querySelector(`[data-card="${number}"]`);
  const select = (number) => {
    current = number;
    const element = elementOf(number);
    if (element && !at("large").open) element.focus();
  };
  const show = (number) => {
    const place = visible.indexOf(number);
    if (place < 0) return;
    while (drawn <= place) more();
    select(number);
  };
  const step = (by) => {
    const place = visible.indexOf(current) + by;
    if (place < 0 || place >= visible.length) return;
    while (drawn <= place) more();
    select(visible[place]);
    if (at("large").open) enlarge(current);
  };
  const columns = () => getComputedStyle(at("cards")).gridTemplateColumns.split(" ").length;
  const enlarge = (number) => {
    const card = cards[number], picture = at("picture"), fallback = thumbnail(number);
    if (!at("large").open) at("large").showModal();
    if (picture.dataset.card !== String(number)) {
      picture.dataset.card = number;
      at("box").hidden = true;
      picture.onload = () => frame(card);
      picture.onerror = () => { picture.onerror = picture.onload = null; picture.src = fallback; };
      picture.alt = card.file;
      picture.src = card.uri && location.protocol === "file:" ? card.uri : fallback;
    }
    at("controls").replaceChildren(...controls(number));
    if (!at("large").contains(document.activeElement)) at("controls").focus();
  };
  const frame = (card) => {
    const picture = at("picture"), [x, y, width, height] = card.box.split(",").map(Number);
    if (!card.box || !card.uri || picture.src.startsWith("data:")) return;
    const scale = picture.clientWidth / picture.naturalWidth;
    Object.assign(at("box").style, { left: `${picture.offsetLeft + x * scale}px`, top: `${picture.offsetTop + y * scale}px`, width: `${width * scale}px`, height: `${height * scale}px` });
    at("box").hidden = false;
  };
  const KEYS = {
    ArrowRight: () => step(1), ArrowLeft: () => step(-1),
    ArrowDown: () => step(at("large").open ? 1 : columns()), ArrowUp: () => step(at("large").open ? -1 : -columns()),
    z: undo, Escape: () => similarTo !== null && !at("large").open && leave(),
  };
  const ON_CARD = {
    Enter: (card) => choose(current, proposal(card)), " ": () => enlarge(current),
    g: (card) => card.genus && choose(current, { name: card.genus, qualifier: ABOVE }),
    u: () => choose(current, { name: "", qualifier: UNKNOWN }), n: () => choose(current, { name: "", qualifier: NO_ANIMAL }),
    s: () => { if (at("large").open) at("large").close(); similarTo = current; arrange(); select(similarTo); },
    t: () => (at("large").open ? at("controls") : elementOf(current)).querySelector(".other").focus(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, textarea")) {
      if (event.key === "Escape" && event.target.classList.contains("other")) { event.preventDefault(); select(current); }
      return;
    }
    if (event.altKey || ((event.ctrlKey || event.metaKey) && event.key !== "z")) return;
    if (event.target.closest("button, summary, a") && ["Enter", " "].includes(event.key)) return;
    const guess = current >= 0 && cards[current].guesses[Number(event.key) - 1];
    if (guess) choose(current, { name: guess[0], qualifier: "" });
    else if (KEYS[event.key]) KEYS[event.key]();
    else if (current >= 0 && ON_CARD[event.key]) ON_CARD[event.key](cards[current]);
    else return;
    if (event.key !== "Escape") event.preventDefault();
  });

  // ---- corrections.csv ---------------------------------------------------------------------
  const DANGER = String.raw`(?![+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*($|;))(['"\x60\u2018\u2019\u201c\u201d\s\x00-\x1f\u200b-\u200f\u2060\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b](?=[^])|[\t\r\n])`;
  const guarded = (value) => value.replace(new RegExp(`(^|;)(?=${DANGER})`, "g"), "$1'"); // as longtail.storage.spreadsheet
  const unguarded = (value) => value.replace(new RegExp(`(^|;)'(?=${DANGER})`, "g"), "$1");
  const quoted = (value) => (/[",;\t\r\n]|^\s|\s$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const table = () => {
    const rows = cards.filter((card) => choices.has(id(card))).map((card) => {
      const choice = choices.get(id(card));
      return { ...card, ...choice, previous_answer: card.answer };
    });
    return [COLUMNS.join(","), ...[...rows, ...elsewhere].map((row) => COLUMNS.map((name) => quoted(guarded(row[name] || ""))).join(","))].join("\r\n") + "\r\n";
  };
  const save = () => {
    const link = make("a", { href: URL.createObjectURL(new Blob(["\ufeff", table()], { type: "text/csv;charset=utf-8" })), download: "corrections.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    unsaved = 0;
    report("Saved as corrections.csv among your downloads");
  };
  const parsed = (content) => {
    const whole = content.replace(/^\ufeff/, ""), first = whole.split(/\r?\n/, 1)[0];
    const separator = [",", ";", "\t"].sort((one, other) => first.split(other).length - first.split(one).length)[0];
    const cell = new RegExp(`("(?:[^"]|"")*"|[^${separator}\r\n]*)(${separator}|\r?\n|$)`, "y");
    const rows = [[]];
    for (let found; cell.lastIndex < whole.length && (found = cell.exec(whole));) {
      const value = found[1].startsWith('"') ? found[1].slice(1, -1).replaceAll('""', '"') : found[1];
      rows.at(-1).push(unguarded(value));
      if (found[2] !== separator) rows.push([]);
    }
    const names = rows.shift().map((name) => name.trim().toLowerCase().replaceAll(" ", "_"));
    return rows.filter((row) => row.some(Boolean)).map((row) => Object.fromEntries(names.map((name, place) => [name, row[place] || ""])));
  };
  const load = async (file) => {
    const rows = parsed(await file.text());
    if (!rows.length || !("name" in rows[0]) || !("file" in rows[0])) { report(`${file.name} has no columns file and name: nothing was loaded`); return; }
    const here = new Map();
    for (const card of cards) { here.set(`${card.file}|${card.box}`, card); }
    for (const card of cards) if (card.sha256) here.set(id(card), card);
    const pairs = [], others = [];
    for (const row of rows) {
      const card = here.get(`${row.sha256}|${row.box || ""}`) || (row.sha256 ? undefined : here.get(`${row.file}|${row.box || ""}`));
      const { name, qualifier = "", by = "", when = "" } = row;
      if (card && (name || qualifier)) pairs.push([id(card), { name, qualifier, by, when }]);
      else if (!card) others.push(row);
    }
    const key = (row) => `${row.sha256 || row.file}|${row.box || ""}`, replaced = new Set(others.map(key));
    const before = elsewhere;
    elsewhere = [...elsewhere.filter((row) => !replaced.has(key(row))), ...others];
    change(pairs);
    history.at(-1).elsewhere = before;
    report(`${pairs.length} loaded` + (others.length ? `, ${others.length} of photographs that are not on this page are kept and saved again` : ""));
  };

  // ---- start -------------------------------------------------------------------------------
  at("species").append(...data.species.map((name) => make("option", { value: shown(name) })));
  for (const [value, [words]] of Object.entries(ORDERS))
    if (value !== "night" || cards.some((card) => card.night)) at("order").append(make("option", { value }, words));
  for (const control of ["order", "show", "find"]) at(control).addEventListener(control === "find" ? "input" : "change", () => { similarTo = null; arrange(); });
  at("by").addEventListener("change", keep);
  at("undo").addEventListener("click", undo);
  at("save").addEventListener("click", save);
  at("load").addEventListener("change", async (event) => { if (event.target.files[0]) await load(event.target.files[0]); event.target.value = ""; });
  at("before").addEventListener("click", () => step(-1));
  at("next").addEventListener("click", () => step(1));
  at("close").addEventListener("click", () => at("large").close());
  at("large").addEventListener("close", () => { at("controls").replaceChildren(); show(Number(at("picture").dataset.card)); });
  addEventListener("beforeprint", () => { while (drawn < visible.length) more(); });
  new IntersectionObserver((entries) => entries[0].isIntersecting && drawn < visible.length && more(), { rootMargin: `${MARGIN}px` }).observe(at("end"));
  restore();
  arrange();
  report();
})();
