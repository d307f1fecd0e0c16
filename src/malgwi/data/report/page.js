"use strict";
// Filter and order the utterances; without this script the page shows all, most errors first.
const list = document.getElementById("utterances");
const articles = [...list.querySelectorAll("article")];
const field = (id) => document.getElementById(id);

function show() {
  const words = field("words").value.normalize("NFC").toLowerCase().split(/\s+/).filter(Boolean);
  const speaker = field("speaker").value;
  const wrong = field("wrong").checked;
  let shown = 0;
  for (const article of articles) {
    const data = article.dataset;
    const hit =
      words.every((word) => data.words.includes(word)) &&
      (!speaker || data.speaker === speaker) &&
      (!wrong || Number(data.errors) > 0);
    article.hidden = !hit;
    shown += hit;
  }
  field("shown").textContent = shown + " of " + articles.length;
}

function order() {
  const key = field("order").value;
  const sorted = [...articles].sort((a, b) =>
    key === "id"
      ? a.dataset.id.localeCompare(b.dataset.id)
      : Number(b.dataset[key]) - Number(a.dataset[key]),
  );
  list.append(...sorted);
}

for (const id of ["words", "speaker", "wrong"]) field(id).addEventListener("input", show);
field("order").addEventListener("input", order);
document.querySelector("form.filter").addEventListener("submit", (event) => event.preventDefault());
show();
