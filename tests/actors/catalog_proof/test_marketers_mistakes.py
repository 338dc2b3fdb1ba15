"""What is said to each typical mistake of whoever writes a catalog: the line, what is wrong, and what was meant."""

from __future__ import annotations

import pytest
from support.marketing import (
    CART,
    CHANNELS,
    CONSENT,
    FILES,
    OFFER,
    PLAN,
    PLANNED,
    POLICIES,
    SEGMENTS,
    TEMPLATE,
    TEXT,
    said,
)


def test_the_catalog_without_a_mistake_is_taken_without_a_word() -> None:
    assert said(FILES) == []
    assert said(FILES | {PLAN: PLANNED + "  Cart Cleared: {}\n"}) == []


IN_EVENT = "paths begin in the properties of the event already, so '{}.cart_id' is hardly there: write cart_id"
NO_WAY_OUT = (
    "warning: actions/offer.yaml:14: variants[1].email.template: a promotional mail needs a link to leave by: "
    "{{ unsubscribe_url }} is nothing that can be seen in it for a customer of whom nothing is known"
)
FOREIGN = [
    ("{{#if traits.x}}", "{{#if}} is another system's: here it is {% if … %} … {% endif %}"),
    ("{% if traits.a && traits.b %}x{% endif %}", "&& is written and"),
    ("{{ traits.first_name | default(“you”) }}", "the quotes in a tag are \" or ', not “"),
    ("{{ traits.first_name", "a {{ is opened here and closed nowhere: }} is missing"),
    ("{% if traits.a %}a{% elseif traits.b %}b{% endif %}", "elseif is written elif"),
    ("{% if traits.a %}a{% else if traits.b %}b{% endif %}", "else if is written elif"),
    ("{% if traits.a %}x{% end if %}", "end if is written endif"),
    ("{% if traits.a = 1 %}x{% endif %}", "= is written == where two values are compared"),
    ("{% if !traits.a %}x{% endif %}", "! is written not"),
    ("{{ traits.a ? 1 : 2 }}", "a choice is written … if … else …"),
    ("{{ traits.first-name }}", "a name with a dash in it is written traits['first-name']"),
    ("{{> footer }}", "another template is put in by {% include 'footer.html' %}"),
]
TIERS = [
    f"warning: journeys/again.yaml:{line}: steps[{step}].send.action: {action} is promotional, and its journey is "
    "service: the stop purchase withdraws this send, and the journey goes on without it"
    for line, step, action in ((9, 2, "offer"), (11, 4, "text"))
]

# (file, what stands there, what is written instead, what is said); what stands there is empty for a file that is new.
MISTAKES: list[tuple[str, str, str, list[str]]] = [
    (
        POLICIES,
        "caps:\n  - {id: weekly",
        "caps:\n\t- {id: weekly",
        ["policies.yaml:3: yaml: begins with a tab: indent with spaces"],
    ),
    (
        OFFER,
        'subject: "For {{ traits.first_name }}"',
        "subject: {{ traits.first_name }}",
        [
            "actions/offer.yaml:14: variants[1].email.subject: a text that begins with {{ "
            'stands in quotes: "{{ traits.first_name }}"'
        ],
    ),
    (
        TEXT,
        'sms: {text: "Your cart waits"}',
        "sms:\n      text: {{ traits.first_name }}, your cart waits",
        ['actions/text.yaml:8: yaml: a text that begins with {{ stands in quotes: text: "{{ traits.first_name }}"'],
    ),
    (
        TEXT,
        'sms: {text: "Your cart waits"}',
        "sms:\n      text: Your cart: it waits",
        ['actions/text.yaml:8: yaml: a text with a colon in it stands in quotes: text: "Your cart: it waits"'],
    ),
    (
        TEXT,
        'sms: {text: "Your cart waits"}',
        "sms: {text: 'Don't wait'}",
        ["actions/text.yaml:7: yaml: the text ends at its second ': put a text with a ' in it in \"…\""],
    ),
    (
        TEXT,
        'sms: {text: "Your cart waits"}',
        'sms: {text: "The "best" cart"}',
        ["actions/text.yaml:7: yaml: the text ends at its second \": put a text with a \" in it in '…'"],
    ),
    (
        TEXT,
        '"Your cart waits"}',
        '"Your cart waits}',
        ["actions/text.yaml:7: yaml: a quote is opened here and closed nowhere"],
    ),
    (
        TEXT,
        '"Your cart waits"}',
        '"Your cart waits"',
        ["actions/text.yaml:7: yaml: a { is opened here and closed nowhere"],
    ),
    (
        TEXT,
        '"Your cart waits"',
        "@you: your cart waits",
        ['actions/text.yaml:7: yaml: a text that begins with @ stands in quotes: text: "@you: your cart waits"'],
    ),
    (
        TEXT,
        'sms: {text: "Your cart waits"}',
        "sms:\n      text: !Sale now",
        ['actions/text.yaml:8: variants[1].sms.text: a text that begins with ! stands in quotes: "!Sale now"'],
    ),
    (
        TEXT,
        'sms: {text: "Your cart waits"}',
        "sms:\n      text: *everything* must go",
        ['actions/text.yaml:8: yaml: a text that begins with * stands in quotes: text: "*everything* must go"'],
    ),
    (
        TEXT,
        'sms: {text: "Your cart waits"}',
        "sms:\n      text: Save #1 of all",
        [
            "warning: actions/text.yaml:8: yaml: the text ends before '#1 of all', which "
            "is read as a note: put the text in quotes"
        ],
    ),
    (
        TEXT,
        'sms: {text: "Your cart waits"}',
        "sms:\n      text: “Your cart waits”",
        [
            "warning: actions/text.yaml:8: variants[1].sms.text: the quotes “ are part of "
            'the text: those around a text are "'
        ],
    ),
    (
        TEXT,
        'sms: {text: "Your cart waits"}',
        "sms:\n      text: >Your cart",
        ['actions/text.yaml:8: yaml: a text that begins with > stands in quotes: text: ">Your cart"'],
    ),
    (
        CONSENT,
        "channels: [email, sms], no_consent_needed: [web]",
        "no_consent_needed: [web, sms], default: true",
        [
            "warning: actions/offer.yaml:3: purpose: marketing is granted by default (consent.yaml), so this "
            "promotional message goes on email to people who never agreed: use a purpose without default: true"
        ],
    ),
    (
        CONSENT,
        "no_consent_needed: [web]}",
        "no_consent_needed: [web]}\n  service: {default: true}",
        [],
    ),
    *(
        (CART, "key: cart_id", f"key: {root}.cart_id", [f"warning: journeys/cart.yaml:4: key: {IN_EVENT.format(root)}"])
        for root in ("event", "properties", "context")
    ),
    *(
        (
            CART,
            "key: cart_id",
            f'key: "{written}"',
            ["journeys/cart.yaml:4: key: a path is written without braces and blanks: cart_id"],
        )
        for written in ("{{ event.cart_id }}", "{cart_id}", "cart_id ")
    ),
    (
        OFFER,
        "where: {category: shoes}",
        "where: {properties.category: shoes}",
        [
            "warning: actions/offer.yaml:10: eligible.all[2].event.where.properties.category: paths begin in the "
            "properties of the event already, so 'properties.category' is hardly there: write category"
        ],
    ),
    (
        OFFER,
        "name: country",
        "name: traits.country",
        [
            "warning: actions/offer.yaml:9: eligible.all[1].trait.name: paths begin in traits already, "
            "so 'traits.country' is hardly there: write country"
        ],
    ),
    (
        OFFER,
        "where: {category: shoes}",
        "where: {category: $event.properties.category}",
        [
            "warning: actions/offer.yaml:10: eligible.all[2].event.where.category: $event. leads into the properties "
            "already, so $event.properties.category is hardly there: write $event.category"
        ],
    ),
    (
        OFFER,
        "where: {category: shoes}",
        "where: {category: $actions.category}",
        [
            "warning: actions/offer.yaml:10: eligible.all[2].event.where.category: $actions.category is no fact but a "
            "text: facts begin with $action. or $event., as in $action.category"
        ],
    ),
    (
        TEMPLATE,
        "{{ event.name }}",
        "{{ event.properties.name }}",
        [
            "warning: templates/offer.html:2: template: event.properties is hardly there: "
            "write event. and the name alone"
        ],
    ),
    *(
        (TEMPLATE, '<a href="{{ unsubscribe_url }}">No more</a>', written, [NO_WAY_OUT])
        for written in (
            "<!-- {{ unsubscribe_url }} -->",
            "{% if traits.vip %}{{ unsubscribe_url }}{% endif %}",
        )
    ),
    *(
        (
            TEMPLATE,
            "{{ unsubscribe_url }}",
            written,
            [
                "warning: actions/offer.yaml:14: variants[1].email.template: a promotional mail needs a link to leave "
                "by: {{ unsubscribe_url }} is not in its template"
            ],
        )
        for written in ("unsubscribe_url", "{# {{ unsubscribe_url }} #}")
    ),
    (
        TEXT,
        "Your cart waits",
        "   ",
        ["warning: actions/text.yaml:7: variants[1].sms.text: is blank"],
    ),
    (
        OFFER,
        "For {{ traits.first_name }}",
        "{{ traits.first_name }}",
        [
            "warning: actions/offer.yaml:14: variants[1].email.subject: is empty for a customer of whom nothing is "
            "known: say what to write instead, as in {{ … | default('you') }}"
        ],
    ),
    *(
        (file, "", "what an editor or a system leaves", [])
        for file in ("Thumbs.db", "actions/desktop.ini", "#offer.yaml#", "actions/#offer.yaml#", "4913", "a.yaml.swp")
    ),
    (TEXT, '"Your cart waits"', "“Wow” said Ada", []),
    (TEMPLATE, "<p>Dear", "{% include ['head.html', 'top.html'] ignore missing %}<p>Dear", []),
    (
        TEXT,
        'sms: {text: "Your cart waits"}',
        "sms:\n      text: &Partner Sale today",
        [
            "warning: actions/text.yaml:8: yaml: &Partner is read as a mark and not as a part of the text: "
            "put the text in quotes"
        ],
    ),
    (
        TEXT,
        'sms: {text: "Your cart waits"}',
        "sms:\n      text: [Sale] now",
        ['actions/text.yaml:8: yaml: a text that begins with [ stands in quotes: text: "[Sale] now"'],
    ),
    (
        TEXT,
        'sms: {text: "Your cart waits"}',
        "sms:\n      text: - 20 %",
        [
            "actions/text.yaml:8: yaml: a list begins on a line of its own, and a text with a - in front stands in "
            'quotes: text: "- 20 %"'
        ],
    ),
    *(
        (TEMPLATE, "{{ traits.first_name }},", written, [f"templates/offer.html:1: template: {sentence}"])
        for written, sentence in FOREIGN
    ),
    *(
        (
            TEMPLATE,
            "<p>Dear",
            f"<p>Dear {tag}",
            [
                f"warning: templates/offer.html:1: template: {tag} is sent as it stands: what is known of a customer "
                "is written {{ traits.… }}"
            ],
        )
        for tag in ("{ traits.x }", "*|FNAME|*", "${name}", "%%first%%", "[[name]]")
    ),
    (
        POLICIES,
        "{zone: Europe/Berlin}",
        "{zone: Europe/Berlin, language: german}",
        ["policies.yaml:1: workspace.language: 'german' is no language by its code, as in en, de or pt-BR"],
    ),
    (
        POLICIES,
        "{zone: Europe/Berlin}",
        "{zone: Europe/Berlin, currency: QQZ}",
        ["policies.yaml:1: workspace.currency: no currency has the code 'QQZ'"],
    ),
    *(
        (
            CHANNELS,
            "host: 127.0.0.1",
            f"host: {host}",
            [
                "channels.yaml:6: channels[2].host: is the name of a machine alone (mail.shop.example); its port "
                "stands beside it, as in port: 587"
            ],
        )
        for host in ("smtp://mail.shop.example", "mail:587")
    ),
    (
        POLICIES,
        "match: {channel: email}",
        "match: {category: shoez}",
        ["warning: policies.yaml:3: caps[1].match.category: no action has the category 'shoez'"],
    ),
    (
        OFFER,
        "in: [DE, AT]",
        "in: [DE, AT], is: FR",
        ["warning: actions/offer.yaml:9: eligible.all[1].trait: can never hold: 'FR' is not among those of in"],
    ),
    (
        OFFER,
        "    - not: {segment: staff}",
        "    - trait: {name: country, exists: false}",
        [
            "warning: actions/offer.yaml:11: eligible.all[3]: can never hold: country is not there and passes a test "
            "at once"
        ],
    ),
    (OFFER, "in: [DE, AT]", "exists: false, not: DE", []),
    (
        TEXT,
        "tier: promotional",
        "tier:promotional",
        ["actions/text.yaml:2: yaml: has no colon with a space behind it: tier: promotional"],
    ),
    (
        TEXT,
        "tier: promotional",
        "tier promotional",
        ["actions/text.yaml:2: yaml: has no colon with a space behind it: tier: promotional"],
    ),
    (
        TEXT,
        "tier: promotional",
        "  tier: promotional",
        ["actions/text.yaml:2: yaml: is indented otherwise than the lines that it belongs with"],
    ),
    (
        CART,
        "  - send: {action: text, channel: sms}",
        " - send: {action: text, channel: sms}",
        ["journeys/cart.yaml:11: yaml: is indented otherwise than the lines that it belongs with"],
    ),
    (
        TEXT,
        "tier: promotional\n",
        "tier: promotional\ntier: service\n",
        ["actions/text.yaml:3: yaml: tier stands here a second time: only one can hold"],
    ),
    (TEXT, "channels: [sms]", "channels: [sms", ["actions/text.yaml:4: yaml: a [ is opened here and closed nowhere"]),
    (
        TEXT,
        "channels: [sms]",
        "channels: sms",
        [
            "actions/text.yaml:4: channels: should be a list: [sms]",
            "journeys/cart.yaml:11: steps[4].send.channel: text has no channel sms",
        ],
    ),
    (
        TEXT,
        "id: text\n",
        "id: 7\n",
        [
            'actions/text.yaml:1: id: should be a text: put it in quotes, "7"',
            "journeys/cart.yaml:11: steps[4].send.action: no action called 'text' is known",
        ],
    ),
    (POLICIES, "limit: 2", 'limit: "2"', ["policies.yaml:3: caps[1].limit: should be a whole number, without quotes"]),
    (OFFER, "until: 2026-04-30", "until: 2026-04-31", ["actions/offer.yaml:6: yaml: there is no such day: 2026-03-01"]),
    (OFFER, "from: 2026-03-01", "from: 01.03.2026", ["actions/offer.yaml:6: valid.from: a date is written 2026-03-01"]),
    (OFFER, "until: 2026-04-30", "until: 2026-02-01", ["actions/offer.yaml:6: valid: until lies before from"]),
    (
        TEXT,
        FILES[TEXT],
        FILES[TEXT] + "---\nid: two\n",
        ["actions/text.yaml:8: yaml: --- begins another file: each action and each journey has a file of its own"],
    ),
    (
        "actions/more.yml",
        "",
        "id: more\n",
        ["actions/more.yml:1: file: no such file belongs to a catalog: rename it to actions/more.yaml"],
    ),
    (
        "action/more.yaml",
        "",
        "id: more\n",
        ["action/more.yaml:1: file: no such file belongs to a catalog, did you mean actions/more.yaml?"],
    ),
    (
        "polices.yaml",
        "",
        "caps: []\n",
        ["polices.yaml:1: file: no such file belongs to a catalog, did you mean policies.yaml?"],
    ),
    (
        "templates/more.htm",
        "",
        "<p>",
        ["templates/more.htm:1: file: no such file belongs to a catalog: a template's name ends in .html or .txt"],
    ),
    (
        "journeys/cart.yaml.txt",
        "",
        "id: x\n",
        ["journeys/cart.yaml.txt:1: file: no such file belongs to a catalog: rename it to journeys/cart.yaml"],
    ),
    (
        CART,
        "  - wait: {for",
        "  - wiat: {for",
        [
            "journeys/cart.yaml:8: steps[1]: a step is exactly one of send, wait, "
            "wait_for, branch, split, parallel, update, webhook, goto, exit, did you mean 'wait'?"
        ],
    ),
    (
        CART,
        "for: 1h",
        "for: 1 day",
        ["journeys/cart.yaml:8: steps[1].wait.for: a duration is a number and a unit: 30s, 30m, 2h or 7d; write 1d"],
    ),
    (
        CART,
        "for: 1h",
        "for: 60",
        ["journeys/cart.yaml:8: steps[1].wait.for: a duration is a number and a unit: 30s, 30m, 2h or 7d"],
    ),
    (
        CART,
        "for: 1h",
        "for: 2 weeks",
        ["journeys/cart.yaml:8: steps[1].wait.for: a duration is a number and a unit: 30s, 30m, 2h or 7d; write 14d"],
    ),
    (
        CART,
        "for: 1h",
        "after: 1h",
        [
            "journeys/cart.yaml:8: steps[1].wait.after: is not known here",
        ],
    ),
    (
        CART,
        "reset_on",
        "rest_on",
        ["journeys/cart.yaml:8: steps[1].wait.rest_on: is not known here, did you mean 'reset_on'?"],
    ),
    (
        CART,
        "on_event: exit",
        "on_event: stop",
        ["journeys/cart.yaml:10: steps[3].wait_for.on_event: should be 'continue' or 'exit'"],
    ),
    (CART, "timeout: 2d, ", "", ["journeys/cart.yaml:10: steps[3].wait_for.timeout: is required"]),
    (
        CART,
        "tier: promotional",
        "tier: promotion",
        ["journeys/cart.yaml:2: tier: should be 'service', 'lifecycle' or 'promotional', did you mean 'promotional'?"],
    ),
    (OFFER, "eligible:", "eligable:", ["actions/offer.yaml:7: eligable: is not known here, did you mean 'eligible'?"]),
    (
        OFFER,
        "within: 7d",
        "witin: 7d",
        ["actions/offer.yaml:10: eligible.all[2].event.witin: is not known here, did you mean 'within'?"],
    ),
    (OFFER, "in: [DE, AT]", "in: []", ["actions/offer.yaml:9: eligible.all[1].trait.in: should not be empty"]),
    (
        OFFER,
        "in: [DE, AT]",
        "is: yes",
        [
            'warning: actions/offer.yaml:9: eligible.all[1].trait.is: is the text "yes": '
            "write true where true or false is meant, else put it in quotes"
        ],
    ),
    (
        OFFER,
        "    - trait: {name: country, in: [DE, AT]}",
        "    - trait: {country: DE}",
        [
            "actions/offer.yaml:9: eligible.all[1].trait.name: is required",
            "actions/offer.yaml:9: eligible.all[1].trait.country: is not known here; it is "
            "asked for as {name: country, is: DE}",
        ],
    ),
    (
        OFFER,
        "  all:\n",
        "  and:\n",
        [
            "actions/offer.yaml:7: eligible: a condition is exactly one of all, any, not, "
            "trait, context, event, segment, consent, suppression, outcome, did you mean 'all'?"
        ],
    ),
    (
        OFFER,
        "eligible:\n  all:\n",
        "eligible:\n",
        [
            "actions/offer.yaml:7: eligible: a condition is exactly one of all, any, not, "
            "trait, context, event, segment, consent, suppression, outcome; a list of them stands "
            "under all or any"
        ],
    ),
    (
        OFFER,
        "segment: staff",
        "segment: staf",
        ["actions/offer.yaml:11: eligible.all[3].not.segment: no segment called 'staf', did you mean 'staff'?"],
    ),
    (
        OFFER,
        "purpose: marketing",
        "purpose: newsletter",
        ["actions/offer.yaml:3: purpose: no purpose called 'newsletter' is known"],
    ),
    (
        CART,
        "action: offer",
        "action: ofer",
        ["journeys/cart.yaml:9: steps[2].send.action: no action called 'ofer', did you mean 'offer'?"],
    ),
    (
        CART,
        "action: text, channel: sms",
        "action: text, channel: email",
        ["journeys/cart.yaml:11: steps[4].send.channel: text has no channel email"],
    ),
    (
        CART,
        "action: offer, channel: email",
        "action: offer, channel: web",
        ["journeys/cart.yaml:9: steps[2].send.channel: web is asked, it cannot be sent to"],
    ),
    (
        CHANNELS,
        "    address: email",
        "    adress: email",
        ["channels.yaml:5: channels[2].adress: is not known here, did you mean 'address'?"],
    ),
    (
        CHANNELS,
        "address: phone}",
        'address: phone, quiet_hours: "21:00-08:00"}',
        ["channels.yaml:8: channels[3].quiet_hours: is not known here"],
    ),
    (
        CHANNELS,
        '"Alba <hello@shop.example>"',
        '"Alba, Birka <hello@shop.example>"',
        [
            "channels.yaml:7: channels[2].sender: is not one sender: Alba, Birka "
            "<hello@shop.example>; a name with a comma stands in quotes of its own: "
            "'\"Alba, Birka\" <…>'"
        ],
    ),
    (
        CHANNELS,
        '"Alba <hello@shop.example>"',
        "Alba",
        [
            "channels.yaml:7: channels[2].sender: is not one sender, as in Alba "
            "<hello@shop.example>: 'Alba': the e-mail address is not one"
        ],
    ),
    (
        CHANNELS,
        "provider: sandbox",
        "provider: sandbx",
        ["channels.yaml:8: channels[3].provider: should be 'smtp', 'sandbox' or 'none', did you mean 'sandbox'?"],
    ),
    (
        CHANNELS,
        "    host: 127.0.0.1",
        "    host: 127.0.0.1\n    password: hunter2",
        [
            "channels.yaml:7: channels[2].password: a secret is never written here: name "
            "its environment variable as password_env"
        ],
    ),
    (
        POLICIES,
        "tier: promotional",
        "tiers: promotional",
        ["policies.yaml:5: stops[1].tiers: is not known here, did you mean 'tier'?"],
    ),
    (
        POLICIES,
        "per: 7d",
        "per: week",
        ["policies.yaml:3: caps[1]: a rolling window is per 7d, a calendar window per day, week or month"],
    ),
    (
        POLICIES,
        "Europe/Berlin",
        "Berlin",
        ["policies.yaml:1: workspace.zone: no zone called 'Berlin', did you mean 'Europe/Berlin'?"],
    ),
    (
        OFFER,
        "    web: {content: {title: Shoes, link: /shoes}}\n",
        "",
        [
            "actions/offer.yaml:13: variants[1].web: is required: this channel is asked "
            "for what to show, so every variant has content for it"
        ],
    ),
    (
        OFFER,
        "web: {content: {title: Shoes, link: /shoes}}",
        "web: {title: Shoes, link: /shoes}",
        ["actions/offer.yaml:15: variants[1].web: should be {content: {…}}"],
    ),
    (
        TEXT,
        "sms: {text:",
        "sms: {txt:",
        ["actions/text.yaml:7: variants[1].sms.txt: is not known here, did you mean 'text'?"],
    ),
    (
        TEXT,
        "sms: {text:",
        "smss: {text:",
        [
            "actions/text.yaml:6: variants[1].sms: is required: this channel delivers, so "
            "every variant has something to say on it",
            "actions/text.yaml:7: variants[1].smss: is not one of the action's channels, did you mean 'sms'?",
        ],
    ),
    (
        OFFER,
        "subject:",
        "titel:",
        [
            "actions/offer.yaml:14: variants[1].email.subject: is required",
            "actions/offer.yaml:14: variants[1].email.titel: is not known here",
        ],
    ),
    (
        OFFER,
        "template: offer.html",
        "template: ofer.html",
        ["actions/offer.yaml:14: variants[1].email.template: no template called 'ofer.html' in templates/"],
    ),
    (
        OFFER,
        "channels: [email, web]",
        "channels: [email, web, sms]",
        [
            "actions/offer.yaml:13: variants[1].sms: is required: this channel delivers, "
            "so every variant has something to say on it"
        ],
    ),
    (
        OFFER,
        "placements: [home_hero]\n",
        "",
        ["warning: actions/offer.yaml:4: channels: it is never shown on web: it has no placements"],
    ),
    (OFFER, "  - id: a\n    email", "  - email", ["actions/offer.yaml:13: variants[1].id: is required"]),
    (
        TEMPLATE,
        "{{ traits.first_name }},",
        "{{ trait.first_name }},",
        [
            "templates/offer.html:1: template: 'trait' is not there when a message is "
            "rendered; there are action, confirm_address_url, currency, event, language, "
            "timezone, traits, unsubscribe_url"
        ],
    ),
    (
        TEMPLATE,
        "{{ traits.first_name }},",
        "{{ traits.frist_name }},",
        [
            "warning: templates/offer.html:1: template: nothing is known as "
            "traits.frist_name, did you mean 'first_name'?"
        ],
    ),
    (
        TEMPLATE,
        "{{ traits.first_name }},",
        "{{ traits.First_Name }},",
        [
            "warning: templates/offer.html:1: template: nothing is known as "
            "traits.First_Name, did you mean 'first_name'?"
        ],
    ),
    (
        TEMPLATE,
        "{{ traits.first_name }},",
        "{{ traits.first_name },",
        ["templates/offer.html:1: template: a {{ is opened here and closed nowhere: }} is missing"],
    ),
    (
        TEMPLATE,
        "{{ traits.first_name }},",
        "{% if traits.first_name %}you,",
        ["templates/offer.html:3: template: {% if … %} is closed nowhere: {% endif %} is missing"],
    ),
    (
        TEMPLATE,
        "money }}",
        "money('Dollar') }}",
        ["templates/offer.html:2: template: 'Dollar' is no currency: money takes a code of ISO 4217, such as EUR"],
    ),
    (TEMPLATE, "money }}", "euros }}", ["templates/offer.html:2: template: there is no filter 'euros'"]),
    (
        TEMPLATE,
        '<a href="{{ unsubscribe_url }}">No more</a>\n',
        "",
        [
            "warning: actions/offer.yaml:14: variants[1].email.template: a promotional "
            "mail needs a link to leave by: {{ unsubscribe_url }} is not in its template"
        ],
    ),
    (
        TEMPLATE,
        "unsubscribe_url",
        "unsubscribe_link",
        [
            "templates/offer.html:3: template: 'unsubscribe_link' is not there when a "
            "message is rendered; there are action, confirm_address_url, currency, event, "
            "language, timezone, traits, unsubscribe_url"
        ],
    ),
    (
        OFFER,
        "{name: country, in: [DE, AT]}",
        "{name: age, at_least: 65, at_most: 18}",
        [
            "warning: actions/offer.yaml:9: eligible.all[1].trait: can never hold: nothing "
            "is at_least 65 and at_most 18 at once"
        ],
    ),
    (
        OFFER,
        "    - not: {segment: staff}",
        "    - segment: staff\n    - not: {segment: staff}",
        ["warning: actions/offer.yaml:12: eligible.all[4]: can never hold: it is the opposite of a condition above it"],
    ),
    (
        OFFER,
        "    - not: {segment: staff}",
        "    - trait: {name: country, is: DE}\n    - trait: {name: country, is: AT}",
        [],
    ),
    (
        OFFER,
        "{name: country, in: [DE, AT]}",
        "{name: country, in: [DE], not_in: [DE, AT]}",
        [
            "warning: actions/offer.yaml:9: eligible.all[1].trait: can never hold: what is "
            "asked for is ruled out beside it"
        ],
    ),
    (
        OFFER,
        "within: 7d,",
        "within: 0d,",
        ["actions/offer.yaml:10: eligible.all[2].event.within: a duration of zero means nothing here"],
    ),
    (
        OFFER,
        "within: 7d,",
        "count: {at_least: 3, at_most: 1},",
        ["actions/offer.yaml:10: eligible.all[2].event.count: at_most is less than at_least"],
    ),
    (
        POLICIES,
        "on: Order Completed",
        "on: Ordr Completed",
        [
            "warning: policies.yaml:5: stops[1].on: no event is known as 'Ordr Completed', "
            "did you mean 'Order Completed'?"
        ],
    ),
    (
        POLICIES,
        "on: Order Completed",
        "on: order completed",
        [
            "warning: policies.yaml:5: stops[1].on: no event is known as 'order "
            "completed', did you mean 'Order Completed'?"
        ],
    ),
    (
        CART,
        "trigger: {event: Product Added}",
        "trigger: {event: Product_Added}",
        [
            "warning: journeys/cart.yaml:3: trigger.event: no event is known as "
            "'Product_Added', did you mean 'Product Added'?"
        ],
    ),
    (
        CART,
        "key: cart_id",
        "key: cartid",
        ["warning: journeys/cart.yaml:4: key: nothing is known as event.cartid, did you mean 'cart_id'?"],
    ),
    (
        OFFER,
        "name: country",
        "name: contry",
        [
            "warning: actions/offer.yaml:9: eligible.all[1].trait.name: nothing is known "
            "as traits.contry, did you mean 'country'?"
        ],
    ),
    (
        OFFER,
        "category: shoes",
        "categorie: shoes",
        [
            "warning: actions/offer.yaml:10: eligible.all[2].event.where.categorie: "
            "nothing is known as event.categorie, did you mean 'category'?"
        ],
    ),
    (
        PLAN,
        "",
        PLANNED,
        ["warning: journeys/cart.yaml:6: stops[1].on: 'Cart Cleared' is no event of the tracking plan"],
    ),
    (
        PLAN,
        "",
        PLANNED.replace("cart_id", "basket_id") + "  Cart Cleared: {}\n",
        ["warning: journeys/cart.yaml:4: key: 'cart_id' is no property of Product Added in the tracking plan"],
    ),
    ("journeys/again.yaml", "", FILES[CART].replace("id: cart\ntier: promotional", "id: again\ntier: service"), TIERS),
    (
        CART,
        "reset_on: [Product Added]",
        "reset_on: [Order Completed]",
        [
            "warning: journeys/cart.yaml:8: steps[1].wait.reset_on: never acts: the stop purchase ends the run "
            "on the 'Order Completed' that reset_on waits for"
        ],
    ),
    (
        CART,
        "wait_for: {event: Email Clicked",
        "wait_for: {event: Cart Cleared",
        [
            "warning: journeys/cart.yaml:10: steps[3].wait_for.event: never acts: the stop emptied ends the run "
            "on the 'Cart Cleared' that wait_for waits for"
        ],
    ),
    (
        "journeys/again.yaml",
        "",
        FILES[CART],
        ["journeys/cart.yaml:1: id: 'cart' is the id of journeys/again.yaml already"],
    ),
    (
        "actions/lonely.yaml",
        "",
        FILES[TEXT].replace("id: text", "id: lonely"),
        ["warning: actions/lonely.yaml:4: channels: nobody gets it: no journey sends it"],
    ),
    (
        CART,
        "  - wait_for: {event: Email Clicked, timeout: 2d, on_event: exit}",
        "  - exit: {}",
        ["warning: journeys/cart.yaml:11: steps[4]: is never reached: the step before it always ends the run"],
    ),
    (
        CART,
        "steps:\n",
        "step:\n",
        [
            "journeys/cart.yaml:1: steps: is required",
            "journeys/cart.yaml:7: step: is not known here, did you mean 'steps'?",
        ],
    ),
    (
        CART,
        "stops:\n  - {id: emptied, on: Cart Cleared}",
        "stops: [Cart Cleared]",
        ["journeys/cart.yaml:5: stops[1]: should be a mapping"],
    ),
    (
        CART,
        "trigger: {event: Product Added}",
        "trigger:\nevent: Product Added",
        ["journeys/cart.yaml:3: trigger: should be a mapping", "journeys/cart.yaml:4: event: is not known here"],
    ),
    (
        POLICIES,
        "match: {channel: email}",
        "match: {chanel: email}",
        ["policies.yaml:3: caps[1].match.chanel: is not known here, did you mean 'channel'?"],
    ),
    (
        CONSENT,
        "no_consent_needed: [web]",
        "no_consent: [web]",
        ["consent.yaml:2: purposes.marketing.no_consent: is not known here, did you mean 'no_consent_needed'?"],
    ),
    (
        SEGMENTS,
        "is: true",
        "is: on",
        [
            'warning: segments.yaml:2: segments.staff.trait.is: is the text "on": write '
            "true where true or false is meant, else put it in quotes"
        ],
    ),
    (
        TEMPLATE,
        "<p>Dear",
        "{% iff traits.first_name %}<p>Dear",
        ["templates/offer.html:1: template: there is no {% iff %}, did you mean 'if'?"],
    ),
    (
        TEMPLATE,
        "<p>Dear",
        "{% include 'head.html' %}<p>Dear",
        ["templates/offer.html:1: template: no template called 'head.html' in templates/"],
    ),
    (
        OFFER,
        "valid: {from: 2026-03-01, until: 2026-04-30}",
        "valid: {from: 2026-03-01, to: 2026-04-30}",
        ["actions/offer.yaml:6: valid.to: is not known here, did you mean 'until'?"],
    ),
    (
        OFFER,
        "tier: promotional\n",
        "tier: Promotional\n",
        ["actions/offer.yaml:2: tier: should be 'service', 'lifecycle' or 'promotional', did you mean 'promotional'?"],
    ),
    (
        CART,
        "  - {id: emptied, on: Cart Cleared}",
        "  - {id: emptied, event: Cart Cleared}",
        [
            "journeys/cart.yaml:6: stops[1].event: is not known here, did you mean 'on'?",
        ],
    ),
    (
        CART,
        "action: offer, channel: email",
        "action: offer",
        ["journeys/cart.yaml:9: steps[2].send: has exactly one of channel, channels and choose: {channels: […]}"],
    ),
]


def test_a_promotional_message_for_what_is_granted_by_default_is_doubted() -> None:
    purposes = FILES[CONSENT] + "  service: {default: true}\n"
    for tier in ("promotional", "lifecycle"):
        text = FILES[TEXT].replace("purpose: marketing", "purpose: service").replace("promotional", tier)
        assert any(
            line.startswith("warning: actions/text.yaml:3: purpose: service is granted by default")
            for line in said(FILES | {CONSENT: purposes, TEXT: text})
        )


@pytest.mark.parametrize(
    ("file", "right", "wrong", "sentences"), MISTAKES, ids=[f"{row[0]}: {row[2][:40]}" for row in MISTAKES]
)
def test_a_mistake_is_named_with_its_line_and_what_was_meant(
    file: str, right: str, wrong: str, sentences: list[str]
) -> None:
    assert right in FILES.get(file, "")
    assert said(FILES | {file: FILES[file].replace(right, wrong) if right else wrong}) == sentences
