___TERMS_OF_SERVICE___

By creating or modifying this file you agree to Google Tag Manager's Community
Template Gallery Developer Terms of Service available at
https://developers.google.com/tag-manager/gallery-tos (or such other URL as
Google may provide), as modified from time to time.


___INFO___

{
  "type": "TAG",
  "id": "cvt_temp_public_id",
  "version": 1,
  "securityGroups": [],
  "displayName": "Rapport",
  "brand": {
    "id": "brand_dummy",
    "displayName": "Rapport"
  },
  "description": "Loads Rapport, tells it what happens, and shows each visitor what is decided for them.",
  "categories": ["ANALYTICS", "EXPERIMENTATION", "PERSONALIZATION"],
  "containerContexts": ["WEB"]
}


___TEMPLATE_PARAMETERS___

[
  {
    "type": "TEXT",
    "name": "server",
    "displayName": "Server",
    "simpleValueType": true,
    "help": "Such as https://rapport.example.com",
    "valueValidators": [{"type": "REGEX", "args": ["^https://[^\\s/?#]+/?$"], "errorMessage": "An address that begins with https:// and has no path."}]
  },
  {
    "type": "TEXT",
    "name": "key",
    "displayName": "Write key",
    "simpleValueType": true,
    "valueValidators": [{"type": "REGEX", "args": ["^wk_\\w+$"], "errorMessage": "The key begins with wk_."}]
  },
  {
    "type": "SELECT",
    "name": "what",
    "displayName": "What to do",
    "simpleValueType": true,
    "defaultValue": "load",
    "selectItems": [
      {"value": "load", "displayValue": "Load Rapport; pages are tracked by themselves"},
      {"value": "track", "displayValue": "Track an event"},
      {"value": "identify", "displayValue": "Say who is signed in"}
    ]
  },
  {
    "type": "TEXT",
    "name": "event",
    "displayName": "Event",
    "simpleValueType": true,
    "enablingConditions": [{"paramName": "what", "paramValue": "track", "type": "EQUALS"}],
    "valueValidators": [{"type": "NON_EMPTY"}]
  },
  {
    "type": "TEXT",
    "name": "userId",
    "displayName": "User id",
    "simpleValueType": true,
    "enablingConditions": [{"paramName": "what", "paramValue": "identify", "type": "EQUALS"}],
    "valueValidators": [{"type": "NON_EMPTY"}]
  },
  {
    "type": "TEXT",
    "name": "token",
    "displayName": "Identity token",
    "simpleValueType": true,
    "help": "A variable that your server fills; without it the user id is a claim.",
    "enablingConditions": [{"paramName": "what", "paramValue": "identify", "type": "EQUALS"}]
  },
  {
    "type": "SIMPLE_TABLE",
    "name": "properties",
    "displayName": "Properties",
    "simpleTableColumns": [
      {"defaultValue": "", "displayName": "Name", "name": "name", "type": "TEXT"},
      {"defaultValue": "", "displayName": "Value", "name": "value", "type": "TEXT"}
    ],
    "enablingConditions": [
      {"paramName": "what", "paramValue": "track", "type": "EQUALS"},
      {"paramName": "what", "paramValue": "identify", "type": "EQUALS"}
    ]
  }
]


___SANDBOXED_JS_FOR_WEB_TEMPLATE___

const createQueue = require('createQueue');
const injectScript = require('injectScript');
const makeTableMap = require('makeTableMap');

const properties = (data.properties && makeTableMap(data.properties, 'name', 'value')) || {};
// What is said before Rapport is there waits in this queue.
const rapport = createQueue('rapport');
if (data.what === 'track') {
  rapport(['track', data.event, properties]);
} else if (data.what === 'identify') {
  rapport(['identify', data.userId, properties, data.token ? {token: data.token} : {}]);
}

const server = data.server.substring(data.server.length - 1) === '/' ? data.server.substring(0, data.server.length - 1) : data.server;
const url = server + '/v1/sdk/' + data.key + '.js';
// Of several tags the first one loads it.
injectScript(url, data.gtmOnSuccess, data.gtmOnFailure, url);


___WEB_PERMISSIONS___

[
  {
    "instance": {
      "key": {"publicId": "inject_script", "versionId": "1"},
      "param": [
        {"key": "urls", "value": {"type": 2, "listItem": [{"type": 1, "string": "https://*/v1/sdk/*"}]}}
      ]
    },
    "clientAnnotations": {"isEditedByUser": true},
    "isRequired": true
  },
  {
    "instance": {
      "key": {"publicId": "access_globals", "versionId": "1"},
      "param": [
        {
          "key": "keys",
          "value": {
            "type": 2,
            "listItem": [
              {
                "type": 3,
                "mapKey": [{"type": 1, "string": "key"}, {"type": 1, "string": "read"}, {"type": 1, "string": "write"}, {"type": 1, "string": "execute"}],
                "mapValue": [{"type": 1, "string": "rapport"}, {"type": 8, "boolean": true}, {"type": 8, "boolean": true}, {"type": 8, "boolean": false}]
              }
            ]
          }
        }
      ]
    },
    "clientAnnotations": {"isEditedByUser": true},
    "isRequired": true
  }
]


___TESTS___

scenarios: []


___NOTES___

Import this file under Templates > Tag Templates > New > Import. One tag with "Load Rapport" on all pages; further tags for events.
