"""What axe-core finds on the page: nothing serious, light and dark, with the drawer open, and at the width of a phone."""

from importlib.resources import files

import pytest

pytestmark = pytest.mark.browser

SERIOUS = """async () => {
  const found = await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'] });
  return found.violations.filter(v => ['serious', 'critical'].includes(v.impact))
    .map(v => [v.id, v.nodes.length, v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + ' ' + (n.any[0]?.message ?? ''))]);
}"""


@pytest.mark.parametrize(
    ("how", "options"),
    [
        ("", {"color_scheme": "light"}),
        ("", {"color_scheme": "dark"}),
        ("#max-latency-ms=20&c=NVIDIA+A2/onnxrt/fp32/64/host", {"color_scheme": "light"}),
        ("", {"viewport": {"width": 390, "height": 800}, "is_mobile": True}),
    ],
)
def test_axe_finds_nothing_serious(visit, report, how, options):
    opened = visit(report + how, bypass_csp=True, **options)
    opened.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    opened.page.add_script_tag(content=(files("axe_core_python") / "axe.min.js").read_text())
    assert opened.page.evaluate(SERIOUS) == []
