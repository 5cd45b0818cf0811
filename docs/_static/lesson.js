// The buttons at the top of the lesson.
document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("[data-answers]")) {
    button.addEventListener("click", () => {
      for (const answer of document.querySelectorAll("details.answer")) {
        answer.open = button.dataset.answers === "open";
      }
    });
  }
  document.querySelector("[data-print]").addEventListener("click", () => window.print());
});
